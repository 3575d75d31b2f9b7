import { demand, demandWhole } from '../errors.js'
import { demandLoad } from '../metrics/demand-load.js'
import type { Packing } from './protocol.js'

/**
 * Packs n items of the given weights into packs of n / packs items each: heaviest item first, each into the lightest
 * pack with room; of equals the item and the pack of the lower index. Sums are of the precision of the weights' array.
 *
 * Where each pack takes one item, item i is in pack i. Source: EPLB `balanced_packing` (float32 there), with a stable
 * sort: that of PyTorch is not, above 16 items, so which of two equal items comes first may differ from it. Throws an
 * InputError if packs do not divide the items, and on weights that are not finite, or below 0.
 */
export function balancedPacking(weights: Float32Array | Float64Array, packs: number): Packing {
  const items = weights.length
  demandWhole('balancedPacking: packs', packs, 1, 1 << 20, 'There must be one at least.')
  demand(
    items > 0 && items % packs === 0,
    `balancedPacking: packs must divide the ${items} items`,
    packs,
    'Packs hold equally many.',
  )
  demandLoad('balancedPacking', weights)
  const size = items / packs
  const pack = new Int32Array(items)
  const position = new Int32Array(items)
  if (size === 1) return { pack: pack.map((_, item) => item), position }
  const sums = weights.slice(0, packs).fill(0)
  const filled = new Int32Array(packs)
  // A heap of the packs with room, the lightest first, so that many packs are no matter. All weigh 0: any order is one.
  const heap = filled.map((_, p) => p)
  let room = packs
  for (const item of heaviestFirst(weights)) {
    const lightest = heap[0]
    pack[item] = lightest
    position[item] = filled[lightest]
    sums[lightest] += weights[item]
    filled[lightest]++
    if (filled[lightest] === size) heap[0] = heap[--room]
    sinkFirst(heap, room, sums)
  }
  return { pack, position }
}

/** The indices of the weights, the heaviest first, the lower of equals first. */
export function heaviestFirst(weights: Float32Array | Float64Array): Int32Array {
  return Int32Array.from(weights.keys()).sort((a, b) => weights[b] - weights[a] || a - b)
}

/** Puts the first of a heap of n where it belongs: packs by their sums, of equals the lower index first. */
function sinkFirst(heap: Int32Array, n: number, sums: Float32Array | Float64Array): void {
  const sunk = heap[0]
  const sum = sums[sunk]
  let at = 0
  for (let child = 1; child < n; child = 2 * at + 1) {
    const left = heap[child]
    const right = heap[child + 1]
    if (child + 1 < n && (sums[right] < sums[left] || (sums[right] === sums[left] && right < left))) child++
    const other = heap[child]
    if (sum < sums[other] || (sum === sums[other] && sunk < other)) break
    heap[at] = other
    at = child
  }
  heap[at] = sunk
}
