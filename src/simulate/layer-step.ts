import { unroutedTokens } from '../capacity/unrouted.js'
import { demand } from '../errors.js'
import type { DrawnRouter } from '../kernels/drawn-route.js'
import { normalSource } from '../kernels/normal-rows.js'
import { checkExperts } from '../router/check-experts.js'
import { drawnTopK } from '../router/drawn.js'
import type { Batch, Router, StepContext } from '../router/protocol.js'
import { filledSlots, loadOf, type Routing } from '../router/routing.js'
import { sum } from '../stats.js'
import type { Setup } from './setup.js'

/** What one layer did in one step. */
export interface LayerStep {
  /** [E] tokens per expert. */
  readonly load: Int32Array
  readonly tokens: number
  /** Tokens that have an expert, and how many they have in all. */
  readonly placed: number
  readonly assignments: number
  readonly dropped: number
  readonly unrouted: number
  readonly batch: Batch
  readonly routing: Routing
}

/** Makes one step of one layer, with the bias [E] it is routed with. */
export type StepLayer = (context: StepContext, bias: Float32Array) => LayerStep

/** By the protocol: whatever the workload and the router are. */
export function stepByProtocol(
  workload: (context: StepContext) => Batch,
  route: Router,
  numExperts: number,
): StepLayer {
  return (context, bias) => {
    const batch = workload(context)
    const routing = route(batch, bias, context)
    checkRouting(routing, batch, numExperts)
    const filled = filledSlots(routing)
    return {
      load: loadOf(routing),
      tokens: batch.tokens,
      placed: filled.reduce((count, slots) => count + (slots > 0 ? 1 : 0), 0),
      assignments: sum(filled),
      dropped: routing.dropped,
      unrouted: unroutedTokens(routing),
      batch,
      routing,
    }
  }
}

/**
 * The same where a kernel can draw the tokens and route them where it drew them, handing back their load alone. The batch
 * and its routing are made again when asked for: a workload draws from streams, so they are what they were. Undefined where
 * the setup needs more.
 */
export function stepInKernel<State>(
  setup: Setup<State>,
  byProtocol: StepLayer,
  numExperts: number,
): StepLayer | undefined {
  const { router, workload, balance, capacity } = setup
  const { normals } = workload
  if (normals === undefined || capacity !== undefined || balance.loadOnly !== true) return undefined
  if (typeof router === 'function') {
    const kernel = normals.of === 'hidden' ? router.drawn?.(normals) : undefined
    return kernel && stepDrawn(kernel, byProtocol)
  }
  const fits = normals.of === 'logits' && normals.means.length === numExperts
  const kernel = fits ? drawnTopK(router, normalSource(normals)) : undefined
  return kernel && stepDrawn(kernel, byProtocol)
}

function stepDrawn(route: DrawnRouter, byProtocol: StepLayer): StepLayer {
  return (context, bias) => {
    const { tokens, layer, step, random } = context
    const load = route(random('workload', layer, step), tokens, bias)
    if (load === undefined) return byProtocol(context, bias) // which says what is wrong
    let whole: LayerStep | undefined
    const own = bias.slice() // a rule may write over its own
    const again = (): LayerStep => {
      whole ??= byProtocol(context, own)
      return whole
    }
    return {
      load,
      tokens,
      placed: tokens,
      assignments: sum(load),
      dropped: 0,
      unrouted: 0,
      get batch() {
        return again().batch
      },
      get routing() {
        return again().routing
      },
    }
  }
}

/** Nothing is lost: a router of one's own may fill no slot that the load would not count. */
function checkRouting(routing: Routing, batch: Batch, numExperts: number): void {
  const { tokens, topK, experts, weights } = routing
  demand(
    tokens === batch.tokens && routing.numExperts === numExperts,
    `simulate: a batch of ${batch.tokens} tokens must be routed as such, over ${numExperts} experts`,
    `a routing of ${tokens} tokens over ${routing.numExperts}`,
    'Make the workload, the router and numExperts agree.',
  )
  demand(
    experts.length === tokens * topK && weights.length === tokens * topK,
    `simulate: a routing must hold ${tokens} × ${topK} experts and as many weights`,
    `${experts.length} experts and ${weights.length} weights`,
    'Fill the slots that a token does not use with −1, and their weights with 0.',
  )
  checkExperts('simulate: experts', routing)
}
