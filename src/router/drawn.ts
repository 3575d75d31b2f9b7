import { type DrawnRouter, drawnRouter } from '../kernels/drawn-route.js'
import type { RowSource } from '../kernels/row-source.js'
import { sum } from '../stats.js'
import { checkBias } from './check-bias.js'
import { type RouterConfig, resolveRouter } from './config.js'
import { settingsOf } from './route.js'

/**
 * A top-k router of logits that a source makes, which counts the load alone, for a simulation that needs no more. Undefined
 * where there is no kernel for it. The router gives undefined for logits that `route` would refuse, for a bias that it takes
 * none of, and where a token may not go to K experts, of which a load says too little; a bias that is none it refuses.
 */
export function drawnTopK(router: RouterConfig, source: RowSource): DrawnRouter | undefined {
  const resolved = resolveRouter(router)
  const takesNoBias = resolved.softmaxOrder === 'afterTopK'
  const route = drawnRouter(settingsOf(resolved), source)
  if (route === undefined) return undefined
  return (draws, tokens, bias) => {
    checkBias('route', bias, source.width)
    if (takesNoBias && bias.some((value) => value !== 0)) return undefined
    const load = route(draws, tokens, bias)
    return load && sum(load) === tokens * resolved.topK ? load : undefined
  }
}
