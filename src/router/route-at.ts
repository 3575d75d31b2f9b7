import { demand } from '../errors.js'
import { type ResolvedRouter, type RouterConfig, resolveRouter } from './config.js'
import type { Routing } from './routing.js'
import { scoreLogits } from './score.js'
import { weighExperts } from './weigh.js'

/**
 * Routes a batch to experts chosen elsewhere: score → weigh, the selection given. `logits` is [T, E], `experts` [T, K]
 * with −1 for an empty slot, in any order; weights are those `route` would give these experts.
 *
 * The road of every router whose choice is not a top-k of scores: hash tables, recorded routings, forced balance.
 * Source: `precomputed_indices` of Megatron-LM. Throws an InputError on lengths that do not fit, an expert that does not
 * exist stands twice in a row or is masked, and on NaN or +∞ among the logits.
 */
export function routeAt(logits: Float32Array, experts: Int32Array, router: RouterConfig): Routing {
  const resolved = resolveRouter(router)
  const { numExperts, topK } = resolved
  demand(
    logits instanceof Float32Array && logits.length % numExperts === 0,
    `routeAt: logits must be a Float32Array of tokens × ${numExperts} values`,
    logits,
    'Lay them out as [T, E], row by row.',
  )
  const tokens = logits.length / numExperts
  demand(
    experts instanceof Int32Array,
    'routeAt: experts must be an Int32Array',
    experts,
    'Experts are whole numbers: use Int32Array.from.',
  )
  demand(
    experts.length === tokens * topK,
    `routeAt: experts must hold topK = ${topK} for each of ${tokens} tokens`,
    experts,
    'Fill the slots that a token does not use with −1.',
  )
  checkRows(experts, logits, resolved)
  const scores = scoreLogits(logits, resolved)
  const weights = weighExperts(experts, scores, resolved)
  return { tokens, topK, numExperts, experts: experts.slice(), weights, dropped: 0 }
}

function checkRows(experts: Int32Array, logits: Float32Array, { topK, numExperts }: ResolvedRouter): void {
  const lastToken = new Int32Array(numExperts).fill(-1)
  experts.forEach((expert, slot) => {
    if (expert === -1) return
    const token = Math.floor(slot / topK)
    const refuse = (holds: boolean, rule: string, remedy: string): void =>
      demand(holds, `routeAt: the experts of token ${token} must ${rule}`, expert, remedy)
    const exists = expert >= 0 && expert < numExperts
    refuse(exists, `be from 0 to ${numExperts - 1}, or −1`, 'Number the routed experts from 0.')
    refuse(lastToken[expert] !== token, 'be distinct', 'Leave one out.')
    const open = logits[token * numExperts + expert] !== Number.NEGATIVE_INFINITY
    refuse(open, 'not be masked by a logit of −∞', 'Use −1 for a slot that must stay empty.')
    lastToken[expert] = token
  })
}
