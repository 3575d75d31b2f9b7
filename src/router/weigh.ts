import { exp } from '../math.js'
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
  const { numExperts, topK, normalize, scale, epsilon, softmaxOrder } = router
  const weights = new Float32Array(experts.length)
  const selected = new Float64Array(topK) // 0 at empty slots
  for (let first = 0; first < experts.length; first += topK) {
    const row = (first / topK) * numExperts
    for (let slot = 0; slot < topK; slot++) {
      const expert = experts[first + slot]
      selected[slot] = expert < 0 ? 0 : scores[row + expert]
    }
    let divisor = 1
    if (softmaxOrder === 'afterTopK') divisor = toPowers(selected, experts, first)
    else if (normalize) {
      divisor = 0
      for (let slot = 0; slot < topK; slot++) divisor += selected[slot]
      divisor += epsilon
    }
    for (let slot = 0; slot < topK; slot++) {
      if (selected[slot] > 0) weights[first + slot] = (selected[slot] / divisor) * scale
    }
  }
  return weights
}

/** Turns selected logits into the powers of their softmax, in place, and returns the sum; the experts stand from `first` on. */
function toPowers(selected: Float64Array, experts: Int32Array, first: number): number {
  let largest = Number.NEGATIVE_INFINITY
  selected.forEach((logit, slot) => {
    if (experts[first + slot] >= 0 && logit > largest) largest = logit
  })
  let sum = 0
  selected.forEach((logit, slot) => {
    selected[slot] = experts[first + slot] < 0 ? 0 : exp(logit - largest)
    sum += selected[slot]
  })
  return sum
}
