import { demand } from '../errors.js'
import { linear } from '../kernels/linear.js'
import { type Normals, normalSource } from '../kernels/normal-rows.js'
import { projectedSource } from '../kernels/projected-rows.js'
import { biasUsed } from './as-router.js'
import { type RouterConfig, resolveRouter } from './config.js'
import { drawnTopK } from './drawn.js'
import { hiddenOf, ofLayer } from './hidden.js'
import type { Router } from './protocol.js'
import { routeScored } from './route.js'
import { rowWidth } from './row-width.js'

/**
 * Router logits [T, E] of hidden states [T, D] and a router weight [E, D]: x·Wᵀ, plus the gate's own linear bias [E]
 * where it has one (gpt-oss), which is not the balancing bias. Each product and each sum is rounded to float32, in order
 * over D, so that every engine gives the same bits. Throws an InputError on lengths that do not fit one another.
 */
export function routerLogits(
  hidden: Float32Array,
  weight: Float32Array,
  numExperts: number,
  gateBias: Float32Array = new Float32Array(numExperts),
): Float32Array {
  const width = rowWidth('routerLogits: weight', weight, numExperts)
  demand(
    hidden.length % width === 0,
    `routerLogits: hidden must hold rows of D = ${width} values, the width of the weight`,
    hidden,
    'Lay it out as [T, D], one row a token.',
  )
  demand(
    gateBias.length === numExperts,
    `routerLogits: gateBias must hold numExperts = ${numExperts} values`,
    gateBias,
    'Leave it out unless the gate is a linear layer with a bias.',
  )
  return linear(hidden, weight, numExperts, gateBias)
}

/**
 * A top-k router with weights of its own, for batches of hidden states. `weights` is one [E, D] a layer, or one for all;
 * `routeBy` routes the logits they give, as `route` does unless given. Weights may change between the steps of a simulation;
 * the batches and routings of a report are then to be read before they do.
 */
export function linearRouter(
  router: RouterConfig,
  weights: Float32Array | readonly Float32Array[],
  routeBy: typeof routeScored = routeScored,
): Router {
  const { numExperts } = resolveRouter(router)
  const weightOf = (layer: number): Float32Array => ofLayer(weights, layer, 'linearRouter')
  const routeBatch: Router = (batch, bias, { layer }) => {
    const hidden = hiddenOf(batch, 'linearRouter')
    return routeBy(routerLogits(hidden, weightOf(layer), numExperts), router, biasUsed(router, bias))
  }
  if (routeBy !== routeScored) return routeBatch
  return Object.assign(routeBatch, {
    drawn: (hidden: Normals) => {
      const size = numExperts * hidden.means.length
      const fit = [weights].flat().every((weight) => weight.length === size)
      return fit ? drawnTopK(router, projectedSource(normalSource(hidden), numExperts, weightOf)) : undefined
    },
  })
}
