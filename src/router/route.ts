import { demand } from '../errors.js'
import { checkBias } from './check-bias.js'
import { type RouterConfig, resolveRouter } from './config.js'
import { type Roundings, roundEach } from './rounding.js'
import type { Routing, ScoredRouting } from './routing.js'
import { maskScores, scoreLogits } from './score.js'
import { selectExperts } from './select.js'
import { weighExperts } from './weigh.js'

/**
 * Routes a batch: score → select → weigh.
 *
 * `logits` is [T, E], row-major. `bias` is [E], added to the scores for selection only. Throws an InputError on a
 * length that does not fit, NaN or +∞ among the logits, a bias that is not finite, and on a bias with softmax
 * 'afterTopK', where scores are logits and have no fixed range (Megatron-LM refuses it too).
 */
export function route(logits: Float32Array, router: RouterConfig, bias?: Float32Array): Routing {
  const { scores: _, ...routing } = routeScored(logits, router, bias)
  return routing
}

/** The same, with the scores that the selection was made from; `roundings` rounds what each station hands on. */
export function routeScored(
  logits: Float32Array,
  router: RouterConfig,
  bias?: Float32Array,
  roundings: Roundings = {},
): ScoredRouting {
  const resolved = resolveRouter(router)
  const { numExperts, topK } = resolved
  demand(
    logits instanceof Float32Array && logits.length % numExperts === 0,
    `route: logits must be a Float32Array of tokens × ${numExperts} values`,
    logits,
    'Lay them out row by row, one row of numExperts logits a token.',
  )
  if (bias !== undefined) {
    checkBias('route', bias, numExperts)
    demand(
      resolved.softmaxOrder !== 'afterTopK',
      "route: a router with softmaxOrder 'afterTopK' selects on logits and takes no bias",
      bias,
      "Leave the bias out, use biasedLogitRouter, or sigmoid, sqrtsoftplus or softmaxOrder 'beforeTopK'.",
    )
  }
  const given = roundEach(logits, roundings.logits)
  const scores = roundEach(scoreLogits(given, resolved), roundings.scores)
  const experts = selectExperts(scores, given, resolved, bias, roundings.keys)
  const weights = roundEach(weighExperts(experts, scores, resolved), roundings.weights)
  const tokens = logits.length / numExperts
  return { tokens, topK, numExperts, experts, weights, dropped: 0, scores: maskScores(scores, given) }
}
