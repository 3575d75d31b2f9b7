import type { RouterConfig } from './config.js'
import { logitsOf } from './logits.js'
import type { Batch } from './protocol.js'
import { routeAt } from './route-at.js'
import type { Routing } from './routing.js'

/**
 * Routes a batch to experts [T, K] that do not depend on it. A batch without logits is weighed as if they were all 0:
 * the experts of a token weigh the same, 1 / K · scale where the router normalises.
 */
export function routeGiven(batch: Batch, experts: Int32Array, router: RouterConfig): Routing {
  const logits = batch.logits ?? new Float32Array(batch.tokens * router.numExperts)
  return routeAt(logitsOf({ ...batch, logits }, router.numExperts, 'route'), experts, router)
}
