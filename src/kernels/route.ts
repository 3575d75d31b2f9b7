import { type RouteSettings, recut } from './block-router.js'
import type { Cuts } from './cutoffs.js'
import { plainRoute } from './plain-route.js'
import { routingModule } from './routing-module.js'
import { fits, simdRoute } from './simd-route.js'

export interface Routed {
  /** [T, K] */
  readonly experts: Int32Array
  readonly weights: Float32Array
  /** [E] */
  readonly load: Int32Array
}

/** Routes rows [T, E] of logits; undefined if one is NaN or +∞. */
export function routeRows(
  rows: Float32Array,
  settings: RouteSettings,
  bias: Float32Array,
): Routed | undefined {
  const { numExperts, topK } = settings
  const instance = fits(settings) ? routingModule.shared() : undefined
  const router = instance ? simdRoute(instance, settings, bias) : plainRoute(settings, bias)
  const tokens = rows.length / numExperts
  const experts = new Int32Array(tokens * topK)
  const weights = new Float32Array(tokens * topK)
  // The first few tokens go the whole way and tell where to cut; from then on each block tells the next.
  let block = 16
  let cuts: Cuts | undefined
  for (let first = 0; first < tokens; first += block, block = Math.min(router.most, block * 8)) {
    const some = Math.min(block, tokens - first)
    if (!router.route(rows, first, some, experts, weights)) return undefined
    cuts = recut(router, settings, cuts)
  }
  return { experts, weights, load: router.load() }
}
