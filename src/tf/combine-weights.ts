import type { Tensor2D } from '@tensorflow/tfjs'
import { demand, type RouterConfig, type Routing, weightGradient } from '../index.js'
import { withGradients } from './gradient.js'
import type { Tf } from './tfjs.js'

/**
 * The combine weights [T, K] as a tensor that pulls on the logits. Selection and weights are the core's, computed once, off
 * the tape; `free` is the routing before a capacity, whose dropped weights are 0 and pull on nothing.
 */
export function combineWeights(
  tf: Tf,
  logits: Tensor2D,
  free: Routing,
  kept: Routing,
  router: RouterConfig,
): Tensor2D {
  const { tokens, topK } = free
  return withGradients(tf, [logits], (given) => {
    const values = given.dataSync() as Float32Array
    return {
      value: tf.tensor2d(kept.weights, [tokens, topK]),
      gradients: (dy) => {
        const pull = (dy.dataSync() as Float32Array).map((value, slot) =>
          kept.experts[slot] < 0 ? 0 : value,
        )
        return [tf.tensor2d(weightGradient(values, free, router, pull), [tokens, router.numExperts])]
      },
    }
  })
}

/** A capacity may empty slots; weights that it changed would have another gradient than the router's. */
export function demandKept(free: Routing, kept: Routing): void {
  const same = kept.experts.every(
    (expert, slot) =>
      expert === -1 || (expert === free.experts[slot] && kept.weights[slot] === free.weights[slot]),
  )
  demand(
    same && kept.experts.length === free.experts.length,
    'MoELayer: capacity must keep the experts and weights that it does not drop',
    kept,
    'Leave out renormalize and padding; applyCapacity alone keeps them.',
  )
}
