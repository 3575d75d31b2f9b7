import { mean as meanOf, sum } from '../stats.js'

/** CV² of [E] totals, and its derivative with respect to each. */
export interface Variation {
  readonly value: number
  readonly slope: Float64Array
}

const epsilon = 1e-10 // FastMoE's and Tutel's, added to the squared mean

/** Variance / (mean² + 1e-10), the variance over E − 1; 0 for a single expert. */
export function squaredVariation(totals: Float64Array): Variation {
  const E = totals.length
  if (E === 1) return { value: 0, slope: new Float64Array(1) }
  const mean = meanOf(totals)
  const variance = sum(totals.map((total) => (total - mean) * (total - mean))) / (E - 1)
  const square = mean * mean + epsilon
  const slope = totals.map((total) => {
    return (2 * (total - mean)) / ((E - 1) * square) - (variance * 2 * mean) / (E * square * square)
  })
  return { value: variance / square, slope }
}
