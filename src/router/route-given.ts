import type { RouterConfig } from './config.js'
import { logitsOf } from './logits.js'
import type { Batch } from './protocol.js'
import { routeAt } from './route-at.js'
import type { Routing } from './routing.js'
import { refuseUnordered } from './score.js'

/**
 * Routes a batch to experts [T, K] that do not depend on it, but for those masked by a logit of −∞, whose slots stay
 * empty. A batch without logits is weighed as if they were all 0: the experts of a token weigh the same, 1 / K · scale
 * where the router normalises. `who` heads errors.
 */
export function routeGiven(batch: Batch, experts: Int32Array, router: RouterConfig, who: string): Routing {
  const { numExperts, topK } = router
  if (batch.logits === undefined) return routeAt(new Float32Array(batch.tokens * numExperts), experts, router)
  const logits = logitsOf(batch, numExperts, who)
  refuseUnordered(logits, numExperts, who)
  const open = experts.map((expert, slot) => {
    const row = Math.floor(slot / topK) * numExperts
    return logits[row + expert] === Number.NEGATIVE_INFINITY ? -1 : expert
  })
  return routeAt(logits, open, router)
}
