import { exp } from '../math.js'
import type { ResolvedRouter } from './config.js'

/**
 * The combine weights [T, K] of selected experts, from their scores alone: the bias never reaches them.
 *
 * In slot order: float64 sum + epsilon, one division each, times scale, rounded once to float32. Softmax 'afterTopK'
 * takes the softmax over the selected logits, which sum to 1 whether `normalize` asks for it or not.
 */
export function weighExperts(
  experts: Int32Array,
  scores: Float32Array,
  router: ResolvedRouter,
): Float32Array {
  const { numExperts, topK, normalize, scale, epsilon, softmaxOrder } = router
  const weights = new Float32Array(experts.length)
  const selected = new Float64Array(topK)
  for (let first = 0; first < experts.length; first += topK) {
    const row = (first / topK) * numExperts
    let filled = 0
    for (; filled < topK && experts[first + filled] >= 0; filled++) {
      selected[filled] = scores[row + experts[first + filled]]
    }
    let divisor = 1
    if (softmaxOrder === 'afterTopK') {
      const largest = selected[0] // the best key comes first, and here the keys are the logits
      divisor = 0
      for (let slot = 0; slot < filled; slot++) {
        selected[slot] = exp(selected[slot] - largest)
        divisor += selected[slot]
      }
    } else if (normalize) {
      divisor = 0
      for (let slot = 0; slot < filled; slot++) divisor += selected[slot]
      divisor += epsilon
    }
    for (let slot = 0; slot < filled; slot++) weights[first + slot] = (selected[slot] / divisor) * scale
  }
  return weights
}
