/**
 * The rows of scores [T, E] that may go somewhere: those that are not −∞ throughout, as padding is. The same array where
 * all may. What counts tokens to share them out, T·K / E, counts these.
 */
export function openRows(scores: Float32Array, numExperts: number): Float32Array {
  const kept = new Float32Array(scores.length)
  let length = 0
  for (let from = 0; from < scores.length; from += numExperts) {
    const row = scores.subarray(from, from + numExperts)
    if (row.every((score) => score === Number.NEGATIVE_INFINITY)) continue
    kept.set(row, length)
    length += numExperts
  }
  return length === scores.length ? scores : kept.subarray(0, length)
}
