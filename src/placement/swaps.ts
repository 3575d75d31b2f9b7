/**
 * Lowers the heaviest pack by exchanging one of its items for a lighter one of another pack, as long as there is an
 * exchange that leaves both packs lighter than it was: each time the one that leaves the heavier of the two lightest.
 * `pack` is [n], the pack of each item; the result is a new one with as many items in each pack.
 */
export function exchangeItems(weights: Float64Array, pack: Int32Array, packs: number): Int32Array {
  const packed = pack.slice()
  const sums = packSums(weights, packed, packs)
  for (;;) {
    const heaviest = largest(sums)
    // What an exchange saves must not be rounding, or two could undo each other forever.
    let least = sums[heaviest] * (1 - 1e-12)
    let exchange: [number, number] | undefined
    for (let i = 0; i < packed.length; i++) {
      if (packed[i] !== heaviest) continue
      for (let j = 0; j < packed.length; j++) {
        const less = weights[i] - weights[j]
        if (less <= 0) continue
        const heavier = Math.max(sums[heaviest] - less, sums[packed[j]] + less)
        if (heavier >= least) continue
        least = heavier
        exchange = [i, j]
      }
    }
    if (exchange === undefined) return packed
    const [i, j] = exchange
    packed[i] = packed[j]
    packed[j] = heaviest
    sums.set(packSums(weights, packed, packs))
  }
}

/** The sum of each pack's weights, in the order of the items. */
export function packSums(weights: Float64Array, pack: Int32Array, packs: number): Float64Array {
  const sums = new Float64Array(packs)
  for (let i = 0; i < pack.length; i++) sums[pack[i]] += weights[i]
  return sums
}

/** The index of the largest value, the lowest of equals. */
export function largest(values: ArrayLike<number>): number {
  let best = 0
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i
  return best
}
