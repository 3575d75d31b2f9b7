import { demand, demandWhole } from '../errors.js'
import { type RouterConfig, resolveRouter } from './config.js'
import { logitsOf } from './logits.js'
import type { Router } from './protocol.js'
import { route } from './route.js'
import { routeAt } from './route-at.js'

/**
 * Shared experts in the router's norm: they have logits of their own, are always chosen, and their sigmoids are
 * normalised together with those of the K routed experts. `router` is that of the E routed experts; logits are
 * [T, E + S], the shared ones last, and so is the routing: K + S slots a token, the shared ones last, over E + S experts.
 * A bias [E + S] is added for selection, where only its first E values meet a choice.
 *
 * Source: Inkling in Hugging Face transformers, `InklingTopkRouter` (logsigmoid − logsumexp; its `route_scale` times
 * `global_scale` is `scale`). Throws an InputError on a router that does not normalise sigmoids.
 */
export function jointNorm(router: RouterConfig, numShared: number): Router {
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
    const routed = new Float32Array(batch.tokens * numExperts)
    for (let token = 0; token < batch.tokens; token++)
      routed.set(logits.subarray(token * all, token * all + numExperts), token * numExperts)
    const chosen = route(routed, router, bias.slice(0, numExperts)).experts
    const experts = Int32Array.from({ length: batch.tokens * slots }, (_, i) => {
      const token = Math.floor(i / slots)
      const slot = i % slots
      if (slot < topK) return chosen[token * topK + slot]
      const shared = numExperts + slot - topK
      return logits[token * all + shared] === Number.NEGATIVE_INFINITY ? -1 : shared // −∞: padding
    })
    return routeAt(logits, experts, together)
  }
}
