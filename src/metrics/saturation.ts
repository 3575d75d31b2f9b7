import { demand, demandWhole } from '../errors.js'
import type { Routing } from '../router/routing.js'

/**
 * Router saturation of one layer: the mean share of a token's `top` first experts that it has at a checkpoint and still
 * has at the end of training; `top` is K unless given. By chance it is top / E. An empty slot agrees with nothing.
 *
 * Source: OLMoE, arXiv 2409.02060, §5, which gives it for 8 of 8 and for the first alone. Throws an InputError where
 * the two are not routings of the same tokens to as many experts.
 */
export function routerSaturation(early: Routing, final: Routing, top: number = final.topK): number {
  demand(
    early.tokens === final.tokens && early.numExperts === final.numExperts,
    `routerSaturation: both must route the same ${final.tokens} tokens to ${final.numExperts} experts`,
    `${early.tokens} tokens, ${early.numExperts} experts`,
    'Route one batch with both checkpoints.',
  )
  const most = Math.min(early.topK, final.topK)
  demandWhole('routerSaturation: top', top, 1, most, 'Neither routing may have fewer slots.')
  let shared = 0
  for (let token = 0; token < final.tokens; token++) {
    const before = early.experts.subarray(token * early.topK, token * early.topK + top)
    const after = final.experts.subarray(token * final.topK, token * final.topK + top)
    for (const expert of after) if (expert >= 0 && before.includes(expert)) shared++
  }
  return shared / (Math.max(1, final.tokens) * top)
}
