import type { Tensor2D, Tensor3D } from '@tensorflow/tfjs'
import { blockedMatMul } from './blocks.js'
import { onHost } from './dense.js'
import { withGradients } from './gradient.js'
import { sumByGroup } from './rows.js'
import { slabs } from './slabs.js'
import type { Tf } from './tfjs.js'

/** [E + 1] group e has the rows offsets[e] … offsets[e + 1] − 1. */
export type Offsets = Int32Array

/**
 * Each group's rows times its own matrix: rows [N, I] and weights [E, O, I], as [out, in], to [N, O], with a gradient; N is at
 * least 1. Where tensors live in the memory of the host, groups go one by one; elsewhere all at once.
 */
export function groupedMatMul(tf: Tf, rows: Tensor2D, weights: Tensor3D, offsets: Offsets): Tensor2D {
  return onHost(tf) ? matMulByGroup(tf, rows, weights, offsets) : blockedMatMul(tf, rows, weights, offsets)
}

function matMulByGroup(tf: Tf, rows: Tensor2D, weights: Tensor3D, offsets: Offsets): Tensor2D {
  const [E, O, I] = weights.shape
  const experts = Array.from({ length: E }, (_, e) => e)
  const used = experts.filter((e) => offsets[e + 1] > offsets[e])
  const rowsOf = (all: Tensor2D): ((e: number) => Tensor2D) => {
    const part = slabs(tf, all)
    return (e) => part(offsets[e], offsets[e + 1])
  }
  const matrices = (all: Tensor3D): ((e: number) => Tensor2D) => {
    const part = slabs(tf, all)
    return (e) => tf.reshape(part(e, e + 1), [O, I])
  }
  return withGradients(tf, [rows, weights], (x, w) => {
    const [xOf, wOf] = [rowsOf(x), matrices(w)]
    return {
      value: tf.concat(used.map((e) => tf.matMul(xOf(e), tf.transpose(wOf(e))))),
      gradients: (dy, x, w) => {
        const [dyOf, xOf, wOf] = [rowsOf(dy), rowsOf(x), matrices(w)]
        const none: Tensor2D = tf.zeros([O, I])
        const pull = (e: number): Tensor2D => tf.matMul(tf.transpose(dyOf(e)), xOf(e))
        return [
          tf.concat(used.map((e) => tf.matMul(dyOf(e), wOf(e)))),
          tf.stack(experts.map((e) => (offsets[e + 1] > offsets[e] ? pull(e) : none))),
        ]
      },
    }
  })
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
