import { demand } from '../errors.js'
import { checkBias } from './check-bias.js'
import { type RouterConfig, resolveRouter } from './config.js'
import { logitsOf } from './logits.js'
import type { Router } from './protocol.js'
import { routingTo } from './routing-to.js'
import { maskScores, scoreLogits } from './score.js'
import { selectExperts } from './select.js'
import { topK as bestOf } from './top-k.js'

/**
 * Mixture of grouped experts: scores over all experts, then the best K / G within each of the G contiguous groups, so
 * that every group gets exactly the same load from every token. With a group a device, no device waits for another.
 *
 * `router.numGroups` is G; Pangu Pro has softmax scores, not normalised, 64 experts, K = 8 and G = 8. A bias is added
 * to the scores for selection. Source: Pangu Pro MoE, arXiv 2505.21411; its measure of imbalance is `imbalanceScore`.
 * Throws an InputError unless G divides K and all groups are kept, and on softmax 'afterTopK'.
 */
export function moge(router: RouterConfig): Router {
  const resolved = resolveRouter(router)
  const { numExperts, topK, numGroups, topGroups, softmaxOrder } = resolved
  demand(
    topK % numGroups === 0,
    `moge: topK must be a multiple of numGroups = ${numGroups}`,
    topK,
    'Every group gives as many experts.',
  )
  demand(topGroups === numGroups, 'moge: all groups must be kept', topGroups, 'Leave topGroups out.')
  demand(
    softmaxOrder === 'beforeTopK',
    'moge: scores must be taken over all experts before the selection',
    softmaxOrder,
    'Leave softmaxOrder out.',
  )
  const size = numExperts / numGroups
  const ofOneGroup = { ...resolved, numExperts: size, topK: topK / numGroups, numGroups: 1, topGroups: 1 }
  return (batch, bias) => {
    const logits = logitsOf(batch, numExperts, 'moge')
    checkBias('moge', bias, numExperts)
    const scores = scoreLogits(logits, resolved)
    const keys = scores.map((score, i) => score + bias[i % numExperts])
    const chosen = selectExperts(keys, logits, ofOneGroup) // each group of each token is a row of its own
    const open = new Float32Array(keys.length).fill(Number.NEGATIVE_INFINITY)
    chosen.forEach((expert, slot) => {
      const at = Math.floor(slot / ofOneGroup.topK) * size + expert
      if (expert >= 0) open[at] = keys[at]
    })
    const experts = bestOf(open, numExperts, topK) // the same experts, best first
    return routingTo(experts, scores, resolved, maskScores(scores, logits))
  }
}
