import type { Tensor2D } from '@tensorflow/tfjs'
import { withGradients } from './gradient.js'
import { onHost, type RowMap, takeRows } from './rows.js'
import type { Tf } from './tfjs.js'

/**
 * Each token's results, times their weights, added up: rows [N, I] and weights [T, K] to [T, I], with a gradient. `slots`
 * tells the slot of each row, `rowOf` the row of each slot, −1 where there is none.
 */
export function combine(tf: Tf, rows: Tensor2D, weights: Tensor2D, slots: RowMap, rowOf: RowMap): Tensor2D {
  const [tokens, topK] = weights.shape
  const [N, I] = rows.shape
  if (!onHost(tf)) {
    const bySlot = tf.reshape(weights, [tokens * topK, 1]) as Tensor2D
    const weighed = tf.mul(takeRows(tf, rows, rowOf, slots, 1), bySlot)
    return tf.sum(tf.reshape(weighed, [tokens, topK, I]), 1)
  }
  return withGradients(tf, [rows, weights], (rows, weights) => ({
    value: tf.tensor2d(added(values(rows), values(weights), rowOf, tokens, I), [tokens, I]),
    gradients: (dy, rows, weights) => {
      const [dys, results, factors] = [values(dy), values(rows), values(weights)]
      const [dRows, dWeights] = [new Float32Array(N * I), new Float32Array(tokens * topK)]
      for (let row = 0; row < N; row++) {
        const slot = slots[row]
        const token = Math.floor(slot / topK) * I
        let sum = 0
        for (let i = 0; i < I; i++) {
          dRows[row * I + i] = factors[slot] * dys[token + i]
          sum += results[row * I + i] * dys[token + i]
        }
        dWeights[slot] = sum
      }
      return [tf.tensor2d(dRows, [N, I]), tf.tensor2d(dWeights, [tokens, topK])]
    },
  }))
}

const values = (tensor: Tensor2D): Float32Array => tensor.dataSync() as Float32Array

/** In float64 and slot order, as the core adds them. */
function added(
  results: Float32Array,
  factors: Float32Array,
  rowOf: RowMap,
  tokens: number,
  width: number,
): Float32Array {
  const topK = rowOf.length / tokens
  const output = new Float32Array(tokens * width)
  const sums = new Float64Array(width)
  for (let token = 0; token < tokens; token++) {
    sums.fill(0)
    for (let slot = token * topK; slot < (token + 1) * topK; slot++) {
      const first = rowOf[slot] * width
      if (first < 0) continue
      for (let i = 0; i < width; i++) sums[i] += factors[slot] * results[first + i]
    }
    output.set(sums, token * width)
  }
  return output
}
