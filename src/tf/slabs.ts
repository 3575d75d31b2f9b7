import type { Tensor } from '@tensorflow/tfjs'
import type { Tf } from './tfjs.js'

/**
 * Contiguous parts of a tensor along its first axis: the rows from `first` to `last`, `last` not included.
 *
 * Where tensors live in the memory of the host, a part is made from a view of the values: on the wasm backend each
 * `tf.slice` copies the whole tensor first, 16 MB for each of 128 experts.
 */
export function slabs<T extends Tensor>(tf: Tf, tensor: T): (first: number, last: number) => T {
  const [, ...row] = tensor.shape
  const size = row.reduce((product, length) => product * length, 1)
  if (!['cpu', 'wasm'].includes(tf.getBackend())) {
    const rest = row.map(() => 0)
    return (first, last) => tf.slice(tensor, [first, ...rest], [last - first, ...row]) as T
  }
  const values = tensor.dataSync()
  return (first, last) => tf.tensor(values.subarray(first * size, last * size), [last - first, ...row]) as T
}
