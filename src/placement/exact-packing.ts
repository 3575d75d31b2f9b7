import { heaviestFirst } from './balanced-packing.js'

/**
 * Packs n items into packs of n / packs items so that the heaviest pack is as light as it can be: [n] the pack of each,
 * or undefined if none is lighter than `limit`. Branch and bound over the items, heaviest first; of packs that weigh and
 * hold the same only the first is tried.
 */
export function exactPacking(weights: Float64Array, packs: number, limit: number): Int32Array | undefined {
  const order = heaviestFirst(weights)
  const size = weights.length / packs
  const sums = new Float64Array(packs)
  const filled = new Int32Array(packs)
  const pack = new Int32Array(weights.length)
  const mean = weights.reduce((sum, weight) => sum + weight, 0) / packs
  let best: Int32Array | undefined
  let least = limit
  const place = (next: number): void => {
    if (next === order.length) {
      best = pack.slice()
      least = Math.max(...sums)
      return
    }
    const item = order[next]
    for (let p = 0; p < packs; p++) {
      const before = sums[p]
      const sum = before + weights[item]
      if (filled[p] === size || !isLess(sum, least) || seenBefore(sums, filled, p)) continue
      pack[item] = p
      sums[p] = sum
      filled[p]++
      place(next + 1)
      sums[p] = before
      filled[p]--
      if (!isLess(mean, least)) return // what was found is perfect
    }
  }
  if (isLess(mean, least)) place(0)
  return best
}

/** Less by more than rounding. */
export const isLess = (a: number, b: number): boolean => a < b * (1 - 1e-12)

function seenBefore(sums: Float64Array, filled: Int32Array, p: number): boolean {
  for (let q = 0; q < p; q++) if (sums[q] === sums[p] && filled[q] === filled[p]) return true
  return false
}
