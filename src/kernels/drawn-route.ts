import type { Draws } from '../random.js'
import { inBlocks, type RouteSettings } from './block-router.js'
import { routingModule } from './routing-module.js'
import type { RowSource } from './row-source.js'
import { fits, simdRoute } from './simd-route.js'

/**
 * Draws so many tokens and routes them with a bias [E]; gives the load [E] alone, or undefined where a logit is not a number
 * below +∞.
 */
export type DrawnRouter = (draws: Draws, tokens: number, bias: Float32Array) => Int32Array | undefined

/**
 * A router of tokens whose logits a source makes: block by block, in the second-level cache, where nothing is copied, and
 * nothing allocated but the load. Undefined where there is no kernel for it.
 */
export function drawnRouter(settings: RouteSettings, source: RowSource): DrawnRouter | undefined {
  const kernels = fits(settings) ? routingModule.create() : undefined
  if (kernels === undefined) return undefined
  const router = simdRoute(kernels, settings, new Float32Array(source.width), source.bytes)
  const maker = source.open(kernels, router.areas)
  const eachBlock = inBlocks(router)
  const drawAndRoute = (first: number, some: number): boolean => {
    maker.rows(first, some, router.rowsAt)
    return router.routeInPlace(some)
  }
  return (draws, tokens, bias) => {
    router.restart(bias)
    maker.seek(draws)
    return eachBlock(tokens, drawAndRoute) ? router.load() : undefined
  }
}
