import { demand } from '../errors.js'
import { type RouterConfig, resolveRouter } from './config.js'
import { logitsOf } from './logits.js'
import type { Router } from './protocol.js'
import { routeAt } from './route-at.js'
import type { Routing } from './routing.js'

/** What was recorded of the routing at a step and layer, if anything was; weights are not needed. */
export type Recorded = (
  step: number,
  layer: number,
) => Pick<Routing, 'tokens' | 'topK' | 'numExperts' | 'experts'> | undefined

/**
 * Router replay: the experts are those recorded, in their slots, and the weights are gathered anew from the current
 * scores. So the training policy uses the experts of the rollout; the bias is not used.
 *
 * Source: `RouterReplay` of Megatron-LM, REPLAY_FORWARD; R3, arXiv 2510.11370. Throws an InputError where nothing was
 * recorded, or a routing of another shape.
 */
export function replayRouter(router: RouterConfig, recorded: Recorded): Router {
  const { numExperts, topK } = resolveRouter(router)
  return (batch, _bias, { step, layer }) => {
    const logits = logitsOf(batch, numExperts, 'replayRouter')
    const routing = recorded(step, layer)
    demand(
      routing !== undefined,
      'replayRouter: there must be a recorded routing for every step and layer',
      `none for step ${step}, layer ${layer}`,
      'Record as many steps and layers as are replayed.',
    )
    demand(
      routing.tokens === batch.tokens && routing.topK === topK && routing.numExperts === numExperts,
      `replayRouter: step ${step}, layer ${layer} must be recorded as ${batch.tokens} tokens × ${topK} of ${numExperts} experts`,
      `${routing.tokens} × ${routing.topK} of ${routing.numExperts}`,
      'Replay the batches that were recorded, with the same router shape.',
    )
    return routeAt(logits, routing.experts, router)
  }
}
