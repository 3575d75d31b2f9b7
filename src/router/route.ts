import { demand } from '../errors.js'
import { type ResolvedRouter, type RouterConfig, resolveRouter } from './config.js'
import type { Routing } from './routing.js'
import { scoreLogits } from './score.js'
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
  return routeScored(logits, router, bias).routing
}

/** The same, with the scores [T, E] that the selection was made from. */
export function routeScored(
  logits: Float32Array,
  router: RouterConfig,
  bias?: Float32Array,
): { routing: Routing; scores: Float32Array } {
  const resolved = resolveRouter(router)
  const { numExperts, topK } = resolved
  demand(
    logits instanceof Float32Array && logits.length % numExperts === 0,
    `route: logits must be a Float32Array of tokens × ${numExperts} values`,
    logits,
    'Lay them out row by row, one row of numExperts logits a token.',
  )
  if (bias !== undefined) checkBias(bias, resolved)
  const scores = scoreLogits(logits, resolved)
  const experts = selectExperts(scores, logits, resolved, bias)
  const weights = weighExperts(experts, scores, resolved)
  return {
    routing: { tokens: logits.length / numExperts, topK, numExperts, experts, weights, dropped: 0 },
    scores,
  }
}

function checkBias(bias: Float32Array, { numExperts, softmaxOrder }: ResolvedRouter): void {
  demand(
    bias instanceof Float32Array && bias.length === numExperts,
    `route: bias must be a Float32Array of numExperts = ${numExperts} values`,
    bias,
    'Pass one value an expert, or leave it out.',
  )
  const odd = bias.findIndex((value) => !Number.isFinite(value))
  demand(
    odd < 0,
    `route: the bias of expert ${odd} must be finite`,
    bias[odd],
    'A logit of −∞ masks an expert.',
  )
  demand(
    softmaxOrder !== 'afterTopK',
    "route: a router with softmaxOrder 'afterTopK' selects on logits and takes no bias",
    bias,
    "Leave the bias out, or use sigmoid, sqrtsoftplus or softmaxOrder 'beforeTopK'.",
  )
}
