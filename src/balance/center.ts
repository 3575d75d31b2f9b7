/** Subtracts the mean, in float32 and in place, so that the values cannot drift together. */
export function center(values: Float32Array | Float64Array): void {
  let sum = 0
  for (const value of values) sum += value
  const mean = Math.fround(sum / values.length)
  for (let e = 0; e < values.length; e++) values[e] = Math.fround(values[e] - mean)
}
