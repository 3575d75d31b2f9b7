import { demand } from '../errors.js'
import { biasUsed } from './as-router.js'
import { type RouterConfig, resolveRouter } from './config.js'
import { logitsOf } from './logits.js'
import type { Router } from './protocol.js'
import { routeScored } from './route.js'
import { refuseUnordered } from './score.js'

/**
 * Forced balance by chance: every logit is replaced by a draw of N(0, 1), whatever the tokens are, and routed as usual;
 * only −∞, a masked expert, stays. Without a bias each set of experts has the same chance: the load is pure chance's.
 *
 * Source: Megatron-LM `moe-router-force-load-balancing`. vLLM's simulated uniform routing draws with replacement: a
 * token may name an expert twice there, which no routing here can hold.
 */
export function randomRouting(router: RouterConfig): Router {
  return drawn('randomRouting', router, 0)
}

/**
 * Forced imbalance: as `randomRouting`, plus a bias of every expert's logit, drawn once for each layer from
 * N(0, std²) and kept for all steps. For what a given imbalance costs, without training a router that has it.
 *
 * Source: Megatron-LM `moe-router-force-biased`, in its variant that keeps the drawn bias (a negative std there). Throws
 * an InputError unless std is finite and at least 0.
 */
export function forcedBias(router: RouterConfig, std: number): Router {
  demand(
    std >= 0 && std < Infinity,
    'forcedBias: std must be a finite number of at least 0',
    std,
    'Use 0.5 for a clear imbalance.',
  )
  return drawn('forcedBias', router, std)
}

function drawn(who: string, router: RouterConfig, std: number): Router {
  const { numExperts } = resolveRouter(router)
  return (batch, bias, { random, layer, step }) => {
    const { tokens } = batch
    const given = batch.logits && logitsOf(batch, numExperts, who)
    if (given) refuseUnordered(given, numExperts, who)
    const offsets = new Float64Array(numExperts)
    random('forced/bias', layer).at(0).normals(offsets)
    const draws = random('forced/logits', layer, step)
    const logits = new Float32Array(tokens * numExperts)
    const noise = new Float64Array(numExperts)
    for (let token = 0; token < tokens; token++) {
      draws.at(token).normals(noise)
      for (let e = 0; e < numExperts; e++) {
        const i = token * numExperts + e
        logits[i] = given?.[i] === Number.NEGATIVE_INFINITY ? given[i] : noise[e] + std * offsets[e]
      }
    }
    return routeScored(logits, router, biasUsed(router, bias))
  }
}
