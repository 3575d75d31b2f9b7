/**
 * Finds the largest keys above −∞ among keys[from … to), as many as `bestKeys` holds: largest first, ties to the lower
 * index. Writes them to `bestKeys` and their indices, counted from `from`, to `chosen` at `first`; empty slots get −1.
 */
export function selectBest(
  keys: Float32Array,
  from: number,
  to: number,
  bestKeys: Float32Array,
  chosen: Int32Array,
  first: number,
): void {
  const last = bestKeys.length - 1
  for (let slot = 0; slot <= last; slot++) {
    bestKeys[slot] = Number.NEGATIVE_INFINITY
    chosen[first + slot] = -1
  }
  let least = Number.NEGATIVE_INFINITY
  for (let i = from; i < to; i++) {
    const key = keys[i]
    if (!(key > least)) continue
    let slot = last
    for (; slot > 0 && key > bestKeys[slot - 1]; slot--) {
      bestKeys[slot] = bestKeys[slot - 1]
      chosen[first + slot] = chosen[first + slot - 1]
    }
    bestKeys[slot] = key
    chosen[first + slot] = i - from
    least = bestKeys[last]
  }
}
