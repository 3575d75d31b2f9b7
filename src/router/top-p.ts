import { demand, demandNothingElse, demandWhole } from '../errors.js'
import { logitsOf } from './logits.js'
import type { Router } from './protocol.js'
import { maskScores, softmaxRows } from './score.js'
import { topK } from './top-k.js'
import { routeAllOpen } from './variable.js'

/**
 * Top-p routing: a token takes experts in descending softmax probability, up to and including the first at which the
 * sum of probabilities is strictly above `threshold`, so that an unsure token takes more. Weights are the
 * probabilities as they are; no bias is read. A threshold of 0 is top-1, one of 1 takes every expert.
 *
 * The sum is taken in float64 over float32 probabilities, best first. Rounded, they can pass 1 before the last of them: a
 * threshold of 1 does not look at the sum.
 * Source: Huang et al., arXiv 2403.07652; Dynamic_MoE `top_p_sampling_batched_all_sequence`. Throws an InputError on a
 * threshold outside [0, 1], and on logits that are missing, do not fit, or are NaN or +∞.
 */
export function topP(options: { readonly numExperts: number; readonly threshold: number }): Router {
  const { numExperts, threshold, ...rest } = options
  demandNothingElse('topP: the options', rest)
  demandWhole('topP: numExperts', numExperts, 1, 1 << 20, 'It is the number of routed experts.')
  demand(
    threshold >= 0 && threshold <= 1,
    'topP: threshold must be a number from 0 to 1',
    threshold,
    'It is the probability that the chosen experts must pass, such as 0.4.',
  )
  const bound = threshold === 1 ? Infinity : threshold
  return (batch) => {
    const logits = logitsOf(batch, numExperts, 'topP')
    const scores = softmaxRows(logits, numExperts, 'topP')
    const ranked = topK(maskScores(scores, logits), numExperts, numExperts)
    const keys = new Float32Array(scores.length).fill(Number.NEGATIVE_INFINITY)
    for (let row = 0; row < scores.length; row += numExperts) {
      let sum = 0
      for (let slot = row; slot < row + numExperts && ranked[slot] >= 0 && sum <= bound; slot++) {
        const place = row + ranked[slot]
        keys[place] = scores[place]
        sum += scores[place]
      }
    }
    return routeAllOpen(keys, scores, numExperts)
  }
}
