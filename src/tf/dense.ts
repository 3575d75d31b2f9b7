import type { Tensor2D } from '@tensorflow/tfjs'
import { withGradients } from './gradient.js'
import type { Tf } from './tfjs.js'

/** Whether tensors live in the memory of the host, where their values are at hand, and not on a GPU. */
export const onHost = (tf: Tf): boolean => ['cpu', 'wasm'].includes(tf.getBackend())

/**
 * x·Wᵀ, with a gradient: rows [N, I] times a weight [O, I], to [N, O].
 *
 * On the host, matrices are turned before they are multiplied: on the wasm backend a product of matrices as they lie takes
 * 0.5 ms where one with `transposeB` takes 2.5 (96 × 256 by 256 × 128), and a batched one is slower still.
 */
export function dense(tf: Tf, rows: Tensor2D, weight: Tensor2D): Tensor2D {
  const host = onHost(tf)
  return withGradients(tf, [rows, weight], (x, w) => ({
    value: host ? tf.matMul(x, tf.transpose(w)) : tf.matMul(x, w, false, true),
    gradients: (dy, x, w) => [
      tf.matMul(dy, w),
      host ? tf.matMul(tf.transpose(dy), x) : tf.matMul(dy, x, true),
    ],
  }))
}
