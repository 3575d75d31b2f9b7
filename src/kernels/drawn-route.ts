import type { Draws } from '../random.js'
import { type RouteSettings, recut } from './block-router.js'
import type { Cuts } from './cutoffs.js'
import { drawBytes, drawer } from './normal-rows.js'
import { routingModule } from './routing-module.js'
import { fits, simdRoute } from './simd-route.js'

/** Draws logits of so many tokens and routes them with a bias [E]; gives the load [E] alone. */
export type DrawnRouter = (draws: Draws, tokens: number, bias: Float32Array) => Int32Array

/**
 * A router of tokens whose logits are float32(means[e] + spread · N(0, 1)), as `normalRows` draws them: block by block, in
 * the second-level cache, where nothing is copied, and nothing allocated but the load. The logits must all be finite.
 * Undefined where there is no kernel for it.
 */
export function drawnRouter(
  settings: RouteSettings,
  means: Float64Array,
  spread: number,
): DrawnRouter | undefined {
  const kernels = fits(settings) ? routingModule.create() : undefined
  if (kernels === undefined) return undefined
  const router = simdRoute(kernels, settings, new Float32Array(means.length), drawBytes(means.length))
  const draw = drawer(kernels, means, spread, router.areas)
  let block = 16 // the first few tokens go the whole way, and tell where to cut
  let cuts: Cuts | undefined
  return (draws, tokens, bias) => {
    router.restart(bias)
    draw.seek(draws)
    for (let first = 0; first < tokens; first += block, block = Math.min(router.most, block * 8)) {
      const some = Math.min(block, tokens - first)
      draw.rows(first, some, router.rowsAt)
      router.routeInPlace(some)
      cuts = recut(router, settings, cuts)
    }
    return router.load()
  }
}
