import { demand } from '../errors.js'
import type { RowStep } from './row-step.js'

/**
 * Gating logit normalisation: z ← λ · (z − mean) / deviation over the experts of each token, so that the sharpness of the
 * softmax is λ's and not the logits'. Masked experts, −∞, stay so and do not count; a row of equal logits becomes 0.
 *
 * The deviation is that of the E logits themselves (divided by E). Source: Skywork-MoE, arXiv 2406.06563, where λ = 1.
 * Throws an InputError on a λ that is not finite and above 0.
 */
export function standardizeLogits(lambda = 1): RowStep {
  demand(
    lambda > 0 && lambda < Infinity,
    'standardizeLogits: lambda must be a finite number above 0',
    lambda,
    'Use 1; larger makes the softmax sharper.',
  )
  return (logits, width) => {
    const changed = new Float32Array(logits.length)
    for (let row = 0; row < logits.length; row += width) {
      const values = Float64Array.from(logits.subarray(row, row + width))
      const open = values.filter((value) => value !== Number.NEGATIVE_INFINITY)
      const mean = meanOf(open)
      const deviation = Math.sqrt(meanOf(open.map((value) => (value - mean) * (value - mean))))
      const factor = deviation === 0 ? 0 : lambda / deviation
      values.forEach((value, e) => {
        changed[row + e] = value === Number.NEGATIVE_INFINITY ? value : (value - mean) * factor
      })
    }
    return changed
  }
}

const meanOf = (values: Float64Array): number => {
  let sum = 0
  for (const value of values) sum += value
  return sum / values.length
}
