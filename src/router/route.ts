import { demand } from '../errors.js'
import type { RouteSettings } from '../kernels/block-router.js'
import { routeRows } from '../kernels/route.js'
import { checkBias } from './check-bias.js'
import { type ResolvedRouter, type RouterConfig, resolveRouter } from './config.js'
import type { Routing, ScoredRouting } from './routing.js'
import { maskedScores, ordered } from './score.js'

/**
 * Routes a batch: score → select → weigh.
 *
 * `logits` is [T, E], row-major. `bias` is [E], added to the scores for selection only. Throws an InputError on a
 * length that does not fit, NaN or +∞ among the logits, a bias that is not finite, and on a bias with softmax
 * 'afterTopK', where scores are logits and have no fixed range (Megatron-LM refuses it too).
 */
export function route(logits: Float32Array, router: RouterConfig, bias?: Float32Array): Routing {
  const resolved = resolveRouter(router)
  checkInputs(logits, resolved, bias)
  const { numExperts, topK } = resolved
  const routed = routeRows(logits, settingsOf(resolved), bias ?? new Float32Array(numExperts))
  const { experts, weights } = ordered(routed, logits, numExperts, 'route')
  return { tokens: logits.length / numExperts, topK, numExperts, experts, weights, dropped: 0 }
}

/**
 * The same, with the scores that the selection was made from. Most readers of a routing never ask for them, and they take
 * longer than the routing, so they are made when first read, of the logits as they are then.
 */
export function routeScored(logits: Float32Array, router: RouterConfig, bias?: Float32Array): ScoredRouting {
  let scores: Float32Array | undefined
  return {
    ...route(logits, router, bias),
    get scores() {
      scores ??= maskedScores(logits, resolveRouter(router))
      return scores
    },
  }
}

/** Refuses logits and a bias that `route` cannot take. */
export function checkInputs(
  logits: Float32Array,
  router: ResolvedRouter,
  bias: Float32Array | undefined,
): void {
  const { numExperts, softmaxOrder } = router
  demand(
    logits instanceof Float32Array && logits.length % numExperts === 0,
    `route: logits must be a Float32Array of tokens × ${numExperts} values`,
    logits,
    'Lay them out as [T, E], row by row.',
  )
  if (bias === undefined) return
  checkBias('route', bias, numExperts)
  demand(
    softmaxOrder !== 'afterTopK',
    "route: a router with softmaxOrder 'afterTopK' selects on logits and takes no bias",
    bias,
    "Leave the bias out, use biasedLogitRouter, or softmaxOrder 'beforeTopK'.",
  )
}

/** The router as the kernels take it, of rows of logits. */
export const settingsOf = (router: ResolvedRouter): RouteSettings => ({
  ...router,
  scoring: router.softmaxOrder === 'afterTopK' ? 'afterTopK' : router.scoreFunction,
})
