import { normalCdf, normalDensity } from '../normal.js'

/** Which values compete with which thresholds; all arrays are [tokens, E]. */
export interface Contest {
  readonly values: Float64Array
  readonly noisy: Float64Array
  /** The place in `noisy` of the threshold that each value must pass; −1 where there is none, so that it passes. */
  readonly rivals: Int32Array
  readonly deviations: Float64Array
}

export interface SmoothLoad {
  /** [E], Σ over tokens of Φ((value − threshold) / deviation). */
  readonly load: Float64Array
  /** [tokens, E], the derivative of each Φ with respect to its value; that to its threshold is the opposite. */
  readonly slopes: Float64Array
}

/** A count of the tokens above a threshold that noise has made smooth, so that it has a gradient. */
export function smoothLoad({ values, noisy, rivals, deviations }: Contest, numExperts: number): SmoothLoad {
  const load = new Float64Array(numExperts)
  const slopes = values.map((value, i) => {
    const threshold = rivals[i] < 0 ? -Number.MAX_VALUE : noisy[rivals[i]] // only −∞ lies below
    const distance = (value - threshold) / deviations[i]
    load[i % numExperts] += normalCdf(distance)
    return normalDensity(distance) / deviations[i]
  })
  return { load, slopes }
}

/** Adds to the gradient [tokens, E] what reaches it through the thresholds; `slope` [E] is the loss's, to each load. */
export function pullThresholds(
  gradient: Float64Array,
  rivals: Int32Array,
  slopes: Float64Array,
  slope: Float64Array,
): void {
  rivals.forEach((rival, i) => {
    if (rival >= 0) gradient[rival] -= slope[i % slope.length] * slopes[i]
  })
}
