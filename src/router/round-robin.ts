import { type RouterConfig, resolveRouter } from './config.js'
import type { Router } from './protocol.js'
import { routeGiven } from './route-given.js'

/**
 * Forced balance: assignment i of a batch goes to expert i mod E, so that loads differ by 1 at most, and not at all where
 * E divides T · K. Padding, a row of −∞, is passed over and does not count in T; a single expert masked leaves its slot
 * empty. Weights are those of the current scores at these experts, or equal for a batch without logits; the bias is not
 * used. The first thing to compare a router with: the throughput of perfect balance.
 *
 * Source: torchtitan's debug option that forces load balance; `uniform_expert_assignment` of megablocks and OLMo-core.
 */
export function roundRobin(router: RouterConfig): Router {
  const { numExperts, topK } = resolveRouter(router)
  return (batch) => {
    const { tokens, logits } = batch
    const experts = new Int32Array(tokens * topK)
    let next = 0
    for (let token = 0; token < tokens; token++) {
      const row = logits?.subarray(token * numExperts, (token + 1) * numExperts)
      if (row?.every((logit) => logit === Number.NEGATIVE_INFINITY)) continue // its slots will be emptied
      for (let k = 0; k < topK; k++) experts[token * topK + k] = next++ % numExperts
    }
    return routeGiven(batch, experts, router, 'roundRobin')
  }
}
