import type { Tensor } from '@tensorflow/tfjs'
import type { Tf } from './tfjs.js'

/**
 * Contiguous parts of a tensor of the host along its first axis: the rows from `first` to `last`, `last` not included. They
 * are made from views of the values: on the wasm backend each `tf.slice` copies the whole tensor first, 16 MB for each of
 * 128 experts.
 */
export function slabs<T extends Tensor>(tf: Tf, tensor: T): (first: number, last: number) => T {
  const [, ...row] = tensor.shape
  const size = row.reduce((product, length) => product * length, 1)
  const values = tensor.dataSync()
  return (first, last) => tf.tensor(values.subarray(first * size, last * size), [last - first, ...row]) as T
}
