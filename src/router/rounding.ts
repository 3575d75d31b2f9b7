/** What a narrower number format makes of a value. */
export type Rounding = (value: number) => number

/** How the stations of the road round what they hand on; a station left out hands on float32, as everywhere else. */
export interface Roundings {
  readonly logits?: Rounding | undefined
  readonly scores?: Rounding | undefined
  /** Score + bias. */
  readonly keys?: Rounding | undefined
  /** Combine weights. */
  readonly weights?: Rounding | undefined
}

/** The values rounded, in a new array; −∞, which masks an expert, stays what it is. */
export function roundEach(values: Float32Array, rounding: Rounding | undefined): Float32Array {
  if (rounding === undefined) return values
  const result = new Float32Array(values.length)
  for (let i = 0; i < result.length; i++) {
    result[i] = values[i] === Number.NEGATIVE_INFINITY ? values[i] : rounding(values[i])
  }
  return result
}

/** The same in a buffer of the caller's own. */
export function roundInPlace(values: Float32Array, rounding: Rounding): void {
  for (let i = 0; i < values.length; i++) values[i] = rounding(values[i])
}
