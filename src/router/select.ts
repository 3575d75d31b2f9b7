import { groupMask } from '../kernels/group-mask.js'
import { selectBest } from '../kernels/select-best.js'
import type { ResolvedRouter } from './config.js'
import { type Rounding, roundInPlace } from './rounding.js'

/**
 * The K experts of each token, [T, K]: those with the best selection keys, best first, ties to the lower index.
 *
 * The key is float32(score + bias), and this is the only place that sees the bias. A logit of −∞ keeps its expert out
 * whatever the bias; with fewer than K experts left, the last slots stay −1. With groups, only the experts of the best
 * `topGroups` groups stand for selection: the others are masked with −∞, not with 0, which a negative key would lose to. A
 * group with fewer open experts than its score sums comes after all that have enough: more open experts first, then by the
 * sum of those; one without any is never kept.
 * `roundKey` rounds each key, and each group's score, further: what a narrower format does to a selection.
 * Source: DeepSeek-V3, arXiv 2412.19437, eqs. 12–16; Wang et al., arXiv 2408.15664, eq. 3.
 */
export function selectExperts(
  scores: Float32Array,
  logits: Float32Array,
  router: ResolvedRouter,
  bias?: Float32Array,
  roundKey?: Rounding,
): Int32Array {
  const { numExperts, topK, numGroups, topGroups } = router
  const tokens = scores.length / numExperts
  const experts = new Int32Array(tokens * topK)
  const keys = new Float32Array(numExperts)
  const bestKeys = new Float32Array(topK)
  const roundGroup = roundKey && ((sum: number) => (sum > Number.NEGATIVE_INFINITY ? roundKey(sum) : sum))
  const maskLesserGroups = topGroups < numGroups ? groupMask(router, roundGroup) : undefined
  for (let token = 0; token < tokens; token++) {
    const row = token * numExperts
    for (let e = 0; e < numExperts; e++) {
      keys[e] = bias === undefined ? scores[row + e] : scores[row + e] + bias[e]
    }
    if (roundKey !== undefined) roundInPlace(keys, roundKey)
    for (let e = 0; e < numExperts; e++) {
      if (logits[row + e] === Number.NEGATIVE_INFINITY) keys[e] = Number.NEGATIVE_INFINITY
    }
    maskLesserGroups?.(keys)
    selectBest(keys, 0, numExperts, bestKeys, experts, token * topK)
  }
  return experts
}
