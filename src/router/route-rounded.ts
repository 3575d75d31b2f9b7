import { type RouterConfig, resolveRouter } from './config.js'
import { type Roundings, roundEach } from './rounding.js'
import { checkInputs, routeScored } from './route.js'
import type { ScoredRouting } from './routing.js'
import { maskScores, scoreLogits } from './score.js'
import { selectExperts } from './select.js'
import { weighExperts } from './weigh.js'

/** `routeScored`, where `roundings` rounds what each station hands on: station by station, as kernels in narrow formats do. */
export function routeRounded(
  logits: Float32Array,
  router: RouterConfig,
  bias: Float32Array | undefined,
  roundings: Roundings,
): ScoredRouting {
  if (Object.values(roundings).every((rounding) => rounding === undefined)) {
    return routeScored(logits, router, bias)
  }
  const resolved = resolveRouter(router)
  checkInputs(logits, resolved, bias)
  const given = roundEach(logits, roundings.logits)
  const scores = roundEach(scoreLogits(given, resolved), roundings.scores)
  const { numExperts, topK } = resolved
  const experts = selectExperts(scores, given, resolved, bias, roundings.keys)
  const weights = roundEach(weighExperts(experts, scores, resolved), roundings.weights)
  const tokens = logits.length / numExperts
  return { tokens, topK, numExperts, experts, weights, dropped: 0, scores: maskScores(scores, given) }
}
