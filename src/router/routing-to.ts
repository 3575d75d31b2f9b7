import type { ResolvedRouter } from './config.js'
import type { ScoredRouting } from './routing.js'
import { weighExperts } from './weigh.js'

/**
 * The end of the road of routers that select by keys of their own: the experts [T, K] they selected, weighed by their
 * scores [T, E]. `told` is what balance rules are to see as scores.
 */
export function routingTo(
  experts: Int32Array,
  scores: Float32Array,
  router: ResolvedRouter,
  told: Float32Array,
): ScoredRouting {
  const { topK, numExperts } = router
  const weights = weighExperts(experts, scores, router)
  return { tokens: experts.length / topK, topK, numExperts, experts, weights, dropped: 0, scores: told }
}
