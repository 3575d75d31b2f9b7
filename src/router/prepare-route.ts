import { demand, demandWhole } from '../errors.js'
import { residentRoute } from '../kernels/resident-route.js'
import { type RouterConfig, resolveRouter } from './config.js'
import { checkInputs, settingsOf } from './route.js'
import type { Routing } from './routing.js'
import { ordered } from './score.js'

/** A batch that lies where it is routed. */
export interface PreparedRoute {
  /** [T, E] logits, to be filled before each call. */
  readonly logits: Float32Array
  /**
   * Routes the first `tokens` rows, all unless given, as `route` does, and counts the load [E]. The next call may write over
   * the arrays that it gives, but for the load.
   */
  route(bias?: Float32Array, tokens?: number): Routing & { readonly load: Int32Array }
}

/**
 * `route` for batches of up to `tokens` tokens, one after another, without a copy: logits are written where the kernel reads
 * them, and experts and weights are read where it writes them. Throws an InputError on what does not fit.
 */
export function prepareRoute(router: RouterConfig, tokens: number): PreparedRoute {
  const resolved = resolveRouter(router)
  const { numExperts, topK } = resolved
  demandWhole('prepareRoute: tokens', tokens, 1, 1 << 28, 'It is the tokens of the largest batch.')
  demand(
    tokens * numExperts <= 1 << 28,
    'prepareRoute: tokens × numExperts must be at most 2^28, 1 GB',
    tokens * numExperts,
    'Route in several batches.',
  )
  const { rows, route } = residentRoute(settingsOf(resolved), tokens)
  return {
    logits: rows,
    route(bias, some = tokens) {
      demandWhole('prepareRoute: tokens', some, 0, tokens, 'Prepare for as many as the largest batch has.')
      checkInputs(rows, resolved, bias)
      const routed = ordered(route(some, bias ?? new Float32Array(numExperts)), rows, numExperts, 'route')
      return { tokens: some, topK, numExperts, dropped: 0, ...routed }
    },
  }
}
