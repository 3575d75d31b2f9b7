import type { Tensor2D, Tensor3D } from '@tensorflow/tfjs'
import { linear } from '../index.js'
import { withGradients } from './gradient.js'
import type { Tf } from './tfjs.js'

/**
 * What `groupedMatMul` says, group by group, by the core's own product on the values of the tensors: for backends whose
 * tensors live in the memory of the host. Its sums are those of `forwardLayer`, to the last bit.
 */
export function matMulByGroup(tf: Tf, rows: Tensor2D, weights: Tensor3D, offsets: Int32Array): Tensor2D {
  const [N] = rows.shape
  const [E, O, I] = weights.shape
  /** Calls `product` for each group that has rows, with that group's part of arrays [N, …] and [E, …]. */
  const byGroup = (product: (own: (all: Float32Array) => Float32Array, e: number) => void): void => {
    for (let e = 0; e < E; e++) {
      const [first, last] = [offsets[e], offsets[e + 1]]
      if (first === last) continue
      product((all) => {
        const width = all.length / N
        return all.subarray(first * width, last * width)
      }, e)
    }
  }
  const matrix = (all: Float32Array, e: number): Float32Array => all.subarray(e * O * I, (e + 1) * O * I)
  return withGradients(tf, [rows, weights], (x, w) => {
    const [xs, ws] = [x.dataSync() as Float32Array, w.dataSync() as Float32Array]
    const value = new Float32Array(N * O)
    byGroup((own, e) => own(value).set(linear(own(xs), matrix(ws, e), O)))
    return {
      value: tf.tensor2d(value, [N, O]),
      gradients: (dy) => {
        const dys = dy.dataSync() as Float32Array
        const [dx, dw] = [new Float32Array(N * I), new Float32Array(E * O * I)]
        byGroup((own, e) => {
          own(dx).set(linear(own(dys), turned(matrix(ws, e), I), I))
          matrix(dw, e).set(linear(turned(own(dys), O), turned(own(xs), I), I))
        })
        return [tf.tensor2d(dx, [N, I]), tf.tensor3d(dw, [E, O, I])]
      },
    }
  })
}

/** The transpose of a matrix with so many columns. */
function turned(matrix: Float32Array, columns: number): Float32Array {
  const rows = matrix.length / columns
  const result = new Float32Array(matrix.length)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      result[column * rows + row] = matrix[row * columns + column]
    }
  }
  return result
}
