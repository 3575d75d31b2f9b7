import { sum } from '../stats.js'
import { inBlocks, type RouteSettings } from './block-router.js'
import { type Routed, routeRows } from './route.js'
import { routingModule } from './routing-module.js'
import { fits, simdRoute } from './simd-route.js'

/** Rows that lie where they are routed. */
export interface ResidentRoute {
  /** [T, E] */
  readonly rows: Float32Array
  /** Routes the first rows; undefined if a logit is NaN or +∞. The next call may write over what it gives. */
  route(tokens: number, bias: Float32Array): Routed | undefined
}

/** Room for rows of T tokens in the memory of a kernel, or of its twin, and for what becomes of them: nothing is copied. */
export function residentRoute(settings: RouteSettings, tokens: number): ResidentRoute {
  const { numExperts, topK } = settings
  const slotBytes = 4 * (tokens + 4) * topK
  const bytes = [4 * ((tokens + 4) * numExperts + 64), slotBytes, slotBytes]
  const kernels = fits(settings) ? routingModule.create(sum(bytes)) : undefined
  if (kernels === undefined) {
    const rows = new Float32Array(tokens * numExperts)
    return { rows, route: (some, bias) => routeRows(rows.subarray(0, some * numExperts), settings, bias) }
  }
  const router = simdRoute(kernels, settings, new Float32Array(numExperts), bytes)
  const [rowsAt, expertsAt, weightsAt] = router.areas
  const { floats, words } = kernels
  const eachBlock = inBlocks(router)
  const routeBlock = (first: number, some: number): boolean => {
    const slot = 4 * first * topK
    return router.routeInPlace(some, rowsAt + 4 * first * numExperts, expertsAt + slot, weightsAt + slot)
  }
  return {
    rows: floats(rowsAt, tokens * numExperts),
    route(some, bias) {
      router.restart(bias)
      if (!eachBlock(some, routeBlock)) return undefined
      const slots = some * topK
      return { experts: words(expertsAt, slots), weights: floats(weightsAt, slots), load: router.load() }
    },
  }
}
