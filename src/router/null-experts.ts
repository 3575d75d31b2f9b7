import { demandWhole } from '../errors.js'
import { biasUsed } from './as-router.js'
import { type RouterConfig, resolveRouter } from './config.js'
import { logitsOf } from './logits.js'
import type { Router } from './protocol.js'
import { routeScored } from './route.js'
import { weighExperts } from './weigh.js'

/**
 * Null experts: of the `router.numExperts` experts the first `numReal` compute, and those after them are chosen like any
 * other but do nothing, so that a token that picks them costs less. They keep their slots and count in the load; their
 * weight is 0, and the real experts of a token are weighed as if it had chosen no others.
 *
 * Source: AdaMoE, arXiv 2406.13233 (softmax, normalised over the real ones). With the zero expert last, it is also the
 * weighing of MoE++, arXiv 2410.07348. `realExpertsPerToken` counts what a token computes. Throws an InputError unless
 * 1 ≤ numReal ≤ numExperts.
 */
export function nullExperts(router: RouterConfig, numReal: number): Router {
  const resolved = resolveRouter(router)
  const { numExperts } = resolved
  demandWhole(
    'nullExperts: numReal',
    numReal,
    1,
    numExperts,
    'The null experts are those after the real ones.',
  )
  return (batch, bias) => {
    const logits = logitsOf(batch, numExperts, 'nullExperts')
    const routing = routeScored(logits, router, biasUsed(router, bias))
    const real = routing.experts.map((expert) => (expert < numReal ? expert : -1))
    return { ...routing, weights: weighExperts(real, routing.scores, resolved) }
  }
}
