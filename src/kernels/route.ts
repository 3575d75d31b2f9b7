import { inBlocks, type RouteSettings } from './block-router.js'
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
  const routeBlock = (first: number, some: number): boolean =>
    router.route(rows, first, some, experts, weights)
  return inBlocks(router)(tokens, routeBlock) ? { experts, weights, load: router.load() } : undefined
}
