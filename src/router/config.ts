import { checkRouter, type RouterConfig } from '../model/router-config.js'

export type { RouterConfig } from '../model/router-config.js'

/** The same with every choice made. */
export type ResolvedRouter = Required<RouterConfig>

/** Fills in the defaults. Throws an InputError on a setting that is unknown, or contradicts itself or another. */
export function resolveRouter(router: RouterConfig): ResolvedRouter {
  checkRouter('router: the config', 'router: ', router)
  const { numExperts, topK, scoreFunction, normalize, scale } = router
  const { softmaxOrder = 'beforeTopK', epsilon = 1e-20, numGroups = 1, topGroups = numGroups } = router
  const { groupScoreTop = Math.min(2, numExperts / numGroups) } = router
  const groups = { numGroups, topGroups, groupScoreTop }
  return { numExperts, topK, scoreFunction, softmaxOrder, normalize, scale, epsilon, ...groups }
}
