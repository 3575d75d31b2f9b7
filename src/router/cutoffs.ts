import { selectBest } from '../kernels/select-best.js'
import { kthLargest } from './kth-largest.js'

/**
 * What an expert's key must exceed to be chosen by each token: the (K + 1)-th largest float32(score + bias) of its row,
 * [T]; −∞ where it has no more than K experts to choose from. `scores` is [T, E], `bias` [E].
 */
export function tokenCutoffs(scores: Float32Array, bias: Float32Array, topK: number): Float32Array {
  const numExperts = bias.length
  const cutoffs = new Float32Array(scores.length / numExperts)
  const keys = new Float32Array(numExperts)
  const best = new Float32Array(topK + 1)
  const chosen = new Int32Array(topK + 1)
  for (let token = 0; token < cutoffs.length; token++) {
    for (let e = 0; e < numExperts; e++) keys[e] = scores[token * numExperts + e] + bias[e]
    selectBest(keys, 0, numExperts, best, chosen, 0)
    cutoffs[token] = best[topK]
  }
  return cutoffs
}

/**
 * The price at which each expert gets its even share, given the tokens' cutoffs: the (⌊T·K / E⌋ + 1)-th largest of
 * float32(score − cutoff) over the T tokens, [E]; padding is not among them, see `openRows`. A token that may not choose an expert, score −∞, comes last there.
 */
export function expertPrices(
  scores: Float32Array,
  cutoffs: Float32Array,
  numExperts: number,
  topK: number,
): Float32Array {
  const tokens = cutoffs.length
  const rank = Math.floor((tokens * topK) / numExperts) + 1
  const prices = new Float32Array(numExperts)
  const margins = new Float32Array(tokens)
  for (let e = 0; e < numExperts; e++) {
    for (let token = 0; token < tokens; token++) {
      const score = scores[token * numExperts + e]
      margins[token] = score === Number.NEGATIVE_INFINITY ? score : score - cutoffs[token]
    }
    prices[e] = kthLargest(margins, rank)
  }
  return prices
}
