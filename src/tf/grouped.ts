import type { Tensor2D, Tensor3D } from '@tensorflow/tfjs'
import { blockedMatMul } from './blocks.js'
import { matMulByGroup } from './by-group.js'
import { withGradients } from './gradient.js'
import { onHost, sumByGroup } from './rows.js'
import type { Tf } from './tfjs.js'

/** [E + 1] group e has the rows offsets[e] … offsets[e + 1] − 1. */
export type Offsets = Int32Array

/**
 * Each group's rows times its own matrix: rows [N, I] and weights [E, O, I], as [out, in], to [N, O], with a gradient; N is at
 * least 1.
 */
export function groupedMatMul(tf: Tf, rows: Tensor2D, weights: Tensor3D, offsets: Offsets): Tensor2D {
  return (onHost(tf) ? matMulByGroup : blockedMatMul)(tf, rows, weights, offsets)
}

/** Rows [N, I] times a weight [O, I], as x·Wᵀ, with a gradient. */
export function dense(tf: Tf, rows: Tensor2D, weight: Tensor2D): Tensor2D {
  if (!onHost(tf)) return tf.matMul(rows, weight, false, true)
  return matMulByGroup(tf, rows, tf.expandDims(weight, 0) as Tensor3D, Int32Array.of(0, rows.shape[0]))
}

/** Adds each group's own bias [E, O] to its rows [N, O], with a gradient. */
export function groupedAdd(tf: Tf, rows: Tensor2D, bias: Tensor2D, offsets: Offsets): Tensor2D {
  const [E] = bias.shape
  const group = new Int32Array(rows.shape[0])
  for (let e = 0; e < E; e++) group.fill(e, offsets[e], offsets[e + 1])
  return withGradients(tf, [rows, bias], (x, all) => ({
    value: tf.add<Tensor2D>(x, tf.gather(all, tf.tensor1d(group, 'int32'))),
    gradients: (dy) => [dy, sumByGroup(tf, dy, group, E)],
  }))
}
