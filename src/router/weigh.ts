import { weighRow } from '../kernels/weigh-row.js'
import type { ResolvedRouter } from './config.js'

/**
 * The combine weights [T, K] of selected experts, from their scores alone: the bias never reaches them.
 *
 * In slot order: float64 sum + epsilon, one division each, times scale, rounded once to float32. Scores that have all
 * underflowed to 0 give weights of 0, also with an epsilon of 0. Softmax 'afterTopK'
 * takes the softmax over the selected logits, which sum to 1 whether `normalize` asks for it or not.
 */
export function weighExperts(
  experts: Int32Array,
  scores: Float32Array,
  router: ResolvedRouter,
): Float32Array {
  const { numExperts, topK } = router
  const weights = new Float32Array(experts.length)
  const selected = new Float64Array(topK)
  const how = { ...router, softmax: router.softmaxOrder === 'afterTopK' }
  for (let first = 0; first < experts.length; first += topK) {
    const row = (first / topK) * numExperts
    for (let slot = 0; slot < topK; slot++) {
      const expert = experts[first + slot]
      selected[slot] = expert < 0 ? Number.NEGATIVE_INFINITY : scores[row + expert]
    }
    weighRow(selected, how, weights, first)
  }
  return weights
}
