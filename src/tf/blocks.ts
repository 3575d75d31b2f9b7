import type { Tensor2D, Tensor3D } from '@tensorflow/tfjs'
import { withGradients } from './gradient.js'
import { gather, type RowMap, sumByGroup } from './rows.js'
import type { Tf } from './tfjs.js'

/** Rows of groups in blocks of one size, each of a single group; what a group does not fill is zeros. */
interface Blocks {
  /** Rows of a block. */
  readonly size: number
  /** [blocks] whose rows they are; a block that is empty says 0. */
  readonly group: Int32Array
  /** [blocks · size] the row at each place. */
  readonly row: RowMap
  /** [N] the place of each row. */
  readonly place: RowMap
}

/**
 * As many blocks as N rows in E groups can need, however they are spread: at most 3N rows and 2E matrices. Their number
 * depends on N and E alone, so that a GPU compiles one program for all batches of a size, and not one for each load.
 */
function blocksOf(offsets: Int32Array): Blocks {
  const groups = offsets.length - 1
  const rows = offsets[groups]
  let size = 1
  while (size * groups < rows) size *= 2
  const most = Math.min(groups, rows)
  const count = Math.floor((rows - most) / size) + most
  const group = new Int32Array(count)
  const row = new Int32Array(count * size).fill(-1)
  const place = new Int32Array(rows)
  let block = 0
  for (let e = 0; e < groups; e++) {
    for (let first = offsets[e]; first < offsets[e + 1]; first += size) {
      group[block] = e
      for (let r = first; r < Math.min(first + size, offsets[e + 1]); r++) {
        place[r] = block * size + r - first
        row[place[r]] = r
      }
      block++
    }
  }
  return { size, group, row, place }
}

/** What `groupedMatMul` says, as one batched product: for backends whose tensors live on a GPU. */
export function blockedMatMul(tf: Tf, rows: Tensor2D, weights: Tensor3D, offsets: Int32Array): Tensor2D {
  const [E, O, I] = weights.shape
  const { size, group, row, place } = blocksOf(offsets)
  const blocked = (all: Tensor2D): Tensor3D => tf.reshape(gather(tf, all, row), [-1, size, all.shape[1]])
  const flat = (all: Tensor3D): Tensor2D => gather(tf, tf.reshape(all, [-1, all.shape[2]]) as Tensor2D, place)
  const matrices = (all: Tensor3D): Tensor3D => tf.gather(all, tf.tensor1d(group, 'int32'))
  return withGradients(tf, [rows, weights], (x, w) => ({
    value: flat(tf.matMul(blocked(x), matrices(w), false, true)),
    gradients: (dy, x, w) => {
      const down = blocked(dy)
      const pulls = tf.reshape(tf.matMul(down, blocked(x), true), [-1, O * I]) as Tensor2D
      return [flat(tf.matMul(down, matrices(w))), tf.reshape(sumByGroup(tf, pulls, group, E), [E, O, I])]
    },
  }))
}
