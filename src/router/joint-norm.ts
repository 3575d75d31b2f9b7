import { demand, demandWhole } from '../errors.js'
import { type RouterConfig, resolveRouter } from './config.js'
import { logitsOf } from './logits.js'
import type { Batch } from './protocol.js'
import { routeScored } from './route.js'
import { routeAt } from './route-at.js'
import type { Routing, ScoredRouting } from './routing.js'

/** A routing over the routed experts, and what is always on beside them. */
export type JointRouting = ScoredRouting & Required<Pick<Routing, 'sharedWeights'>>

/**
 * Shared experts in the router's norm: they have logits of their own, are always chosen, and their sigmoids are
 * normalised together with those of the K routed experts. `router` is that of the E routed experts; logits are
 * [T, E + S], the shared ones last. The routing is that of the routed experts alone, K slots a token with their part of
 * the norm: there is nothing to balance in experts that are always on, so load, bias [E] and MaxVio leave them out, and
 * no capacity meets them. Tell `simulate` that numExperts is E: it cannot be read off the logits.
 *
 * Source: Inkling in Hugging Face transformers, `InklingTopkRouter` (logsigmoid − logsumexp; its `route_scale` times
 * `global_scale` is `scale`). Throws an InputError on a router that does not normalise sigmoids.
 */
export function jointNorm(
  router: RouterConfig,
  numShared: number,
): (batch: Batch, bias: Float32Array) => JointRouting {
  const { numExperts, topK, scoreFunction, normalize } = resolveRouter(router)
  demandWhole(
    'jointNorm: numShared',
    numShared,
    1,
    1 << 10,
    'Without shared experts, pass the config itself.',
  )
  demand(
    scoreFunction === 'sigmoid' && normalize,
    'jointNorm: the router must normalise sigmoids',
    scoreFunction,
    "Use scoreFunction: 'sigmoid' and normalize: true.",
  )
  const all = numExperts + numShared
  const slots = topK + numShared
  const together: RouterConfig = {
    ...router,
    numExperts: all,
    topK: slots,
    numGroups: 1,
    topGroups: 1,
    groupScoreTop: 1,
  }
  return (batch, bias) => {
    const logits = logitsOf(batch, all, 'jointNorm')
    const routing = routeScored(columns(logits, all, 0, numExperts), router, bias)
    const experts = Int32Array.from({ length: batch.tokens * slots }, (_, i) => {
      const token = Math.floor(i / slots)
      const slot = i % slots
      if (slot < topK) return routing.experts[token * topK + slot]
      const shared = numExperts + slot - topK
      return logits[token * all + shared] === Number.NEGATIVE_INFINITY ? -1 : shared // −∞: padding
    })
    const { weights } = routeAt(logits, experts, together)
    return {
      ...routing,
      weights: columns(weights, slots, 0, topK),
      sharedWeights: columns(weights, slots, topK, slots),
    }
  }
}

/** The columns from `from` up to `to` of rows of `width`. */
const columns = (values: Float32Array, width: number, from: number, to: number): Float32Array =>
  values.filter((_, i) => i % width >= from && i % width < to)
