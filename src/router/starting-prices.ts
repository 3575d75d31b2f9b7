import { kthLargest } from './kth-largest.js'

/**
 * Prices [E] at which every expert is the best of about `share` tokens, by score − price: a start for the balanced
 * assignment, which holds from any prices but has the less left to do the better they are.
 *
 * In turn, what each token is ready to pay for an expert is set halfway between its best and its second best offer, and
 * each price halfway between the last bid that gets a place and the first that does not. That is quantile balancing.
 */
export function startingPrices(scores: Float32Array, numExperts: number, share: number): Float64Array {
  const tokens = scores.length / numExperts
  const prices = new Float64Array(numExperts)
  const gains = new Float64Array(tokens)
  const bids = new Float32Array(tokens)
  for (let round = 0; round < 4; round++) {
    for (let token = 0; token < tokens; token++) gains[token] = marginalGain(scores, prices, token)
    for (let e = 0; e < numExperts; e++) {
      for (let token = 0; token < tokens; token++) {
        const score = scores[token * numExperts + e]
        bids[token] = score === Number.NEGATIVE_INFINITY ? score : score - gains[token]
      }
      const price = (kthLargest(bids, share) + kthLargest(bids, share + 1)) / 2
      if (Number.isFinite(price)) prices[e] = price
    }
  }
  return prices
}

/** Halfway between a token's largest and second largest score − price. */
function marginalGain(scores: Float32Array, prices: Float64Array, token: number): number {
  let best = Number.NEGATIVE_INFINITY
  let second = Number.NEGATIVE_INFINITY
  const row = token * prices.length
  for (let e = 0; e < prices.length; e++) {
    const gain = scores[row + e] - prices[e]
    if (gain > best) {
      second = best
      best = gain
    } else if (gain > second) second = gain
  }
  return (best + second) / 2
}
