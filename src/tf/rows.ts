import type { Tensor2D } from '@tensorflow/tfjs'
import { withGradients } from './gradient.js'
import type { Tf } from './tfjs.js'

/** Which row of its input each row of an output is, −1 for a row of zeros. */
export type RowMap = Int32Array

/**
 * Rows by number, with a gradient: [n, W] to [m, W], neither empty. `back` tells which rows of the output each input row went to, `fan` of
 * them a row, −1 where there are fewer, so that the gradient is a sum of rows by number too, and needs no scatter, which
 * the wasm backend lacks.
 */
export function takeRows(tf: Tf, rows: Tensor2D, from: RowMap, back: RowMap, fan: number): Tensor2D {
  const [count, width] = rows.shape
  return withGradients(tf, [rows], (given) => ({
    value: gather(tf, given, from),
    gradients: (dy: Tensor2D) => [tf.sum(tf.reshape(gather(tf, dy, back), [count, fan, width]), 1)],
  }))
}

/** Whether tensors live in the memory of the host, where their values are at hand, and not on a GPU. */
export const onHost = (tf: Tf): boolean => ['cpu', 'wasm'].includes(tf.getBackend())

/**
 * Rows by number, without a gradient. On the host they are copied here: `tf.gather` of the wasm backend looks for each
 * element by itself.
 */
export function gather(tf: Tf, rows: Tensor2D, from: RowMap): Tensor2D {
  const [count, width] = rows.shape
  if (onHost(tf)) {
    const values = rows.dataSync()
    const taken = new Float32Array(from.length * width)
    from.forEach((row, i) => {
      if (row >= 0) taken.set(values.subarray(row * width, (row + 1) * width), i * width)
    })
    return tf.tensor2d(taken, [from.length, width])
  }
  if (!from.includes(-1)) return tf.gather(rows, tf.tensor1d(from, 'int32'))
  const withZeros = tf.concat([rows, tf.zeros([1, width])]) as Tensor2D
  const numbers = from.map((row) => (row < 0 ? count : row))
  return tf.gather(withZeros, tf.tensor1d(numbers, 'int32'))
}

/** The sum of each group's rows, [N, W] to [E, W], as a product: every backend has one, and few a sum by number. */
export function sumByGroup(tf: Tf, rows: Tensor2D, group: Int32Array, groups: number): Tensor2D {
  // oneHot of the wasm backend gives integers whatever it is asked for
  const members = tf.cast(tf.oneHot(tf.tensor1d(group, 'int32'), groups), 'float32')
  return tf.matMul(tf.transpose(members), rows)
}
