import { type RouterConfig, resolveRouter } from './config.js'
import type { Router } from './protocol.js'
import { routeGiven } from './route-given.js'

/**
 * Forced balance: assignment i of a batch goes to expert i mod E, so that loads differ by 1 at most, and not at all where
 * E divides T · K. Weights are those of the current scores at these experts, or equal for a batch without logits; the
 * bias is not used. The first thing to compare a router with: the throughput of perfect balance.
 *
 * Source: torchtitan's debug option that forces load balance; `uniform_expert_assignment` of megablocks and OLMo-core.
 */
export function roundRobin(router: RouterConfig): Router {
  const { numExperts, topK } = resolveRouter(router)
  return (batch) => {
    const experts = Int32Array.from({ length: batch.tokens * topK }, (_, slot) => slot % numExperts)
    return routeGiven(batch, experts, router, 'roundRobin')
  }
}
