import type { Scalar, Tensor2D } from '@tensorflow/tfjs'
import type { Loss } from '../index.js'
import { withGradients } from './gradient.js'
import { demandReads } from './reads.js'
import { installed, type Tf } from './tfjs.js'

/**
 * A loss of the core as a function of tensors: its value as a scalar, with its own gradient. Any function from logits
 * [T, E] to value and gradient will do, such as `(logits) => zLoss(logits, { numExperts: 128 })`. It is computed in the
 * core, in float64, whatever the backend.
 */
export function tensorLoss(
  loss: (logits: Float32Array) => Loss<Float32Array>,
  tf: Tf = installed,
): (logits: Tensor2D) => Scalar {
  return (logits) => {
    demandReads(tf, 'tensorLoss')
    return withGradients(tf, [logits], (given) => {
      const { value, gradient } = loss(given.dataSync() as Float32Array)
      const { shape } = given
      return { value: tf.scalar(value), gradients: (dy) => [tf.mul(tf.tensor(gradient, shape), dy)] }
    })
  }
}
