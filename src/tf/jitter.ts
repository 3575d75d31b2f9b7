import type { Tensor2D } from '@tensorflow/tfjs'
import { jitter, type StepContext } from '../index.js'
import type { Tf } from './tfjs.js'

/** Rows times draws of U[1 − ε, 1 + ε], which are constants to the gradient. */
export function jittered(tf: Tf, rows: Tensor2D, epsilon: number, context: StepContext): Tensor2D {
  if (epsilon === 0) return rows
  const [count, width] = rows.shape
  const factors = jitter(epsilon)(new Float32Array(count * width).fill(1), width, context)
  return tf.mul(rows, tf.tensor2d(factors, [count, width]))
}
