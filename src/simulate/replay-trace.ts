import { sigmoid } from '../math.js'
import { type Agreement, agreement } from '../metrics/agreement.js'
import { chanceOf } from '../metrics/chance.js'
import { type BalanceFigures, balanceOf } from '../metrics/load.js'
import { type Locality, locality } from '../metrics/locality.js'
import {
  type Companions,
  coActivation,
  companions,
  type DomainPreference,
  domainPreferences,
  loadByDomain,
  mutualInformation,
} from '../metrics/specialization.js'
import { routerLogits } from '../router/linear.js'
import { route } from '../router/route.js'
import { loadOf, type Routing } from '../router/routing.js'
import type { Trace, TraceLayer } from '../workload/trace.js'

/** One MoE layer of a trace, routed again and compared with the recording. */
export interface ReplayedLayer {
  readonly index: number
  readonly routing: Routing
  /** Ours against the recorded one. */
  readonly agreement: Agreement
  readonly load: Int32Array
  readonly balance: BalanceFigures
  readonly chance: BalanceFigures
  readonly locality: Locality
  /** In the order of the trace's domains. */
  readonly domains: readonly DomainPreference[]
  /** Of expert and domain, in bits. */
  readonly mutualInformation: number
  readonly companions: Companions
  /**
   * Smallest distance between the K-th and the next selection key, in float64: how near a tie the recording comes. ∞ where
   * every expert is chosen.
   */
  readonly smallestGap: number
  readonly largestLogit: number
}

/** Routes a recorded trace again, layer by layer, and measures what its tokens chose. */
export function replayTrace(trace: Trace): ReplayedLayer[] {
  return trace.layers.map((layer) => replayLayer(trace, layer))
}

function replayLayer(trace: Trace, layer: TraceLayer): ReplayedLayer {
  const { tokens, domains, domainNames, sequences, router } = trace
  const { numExperts, topK } = router
  const logits = routerLogits(layer.hidden, layer.weight, numExperts)
  const routing = route(logits, router, layer.bias)
  const load = loadOf(routing)
  const byDomain = loadByDomain(routing, domains, domainNames.length)
  return {
    index: layer.index,
    routing,
    agreement: agreement(routing, { tokens, topK, experts: layer.experts, weights: layer.weights }),
    load,
    balance: balanceOf(load),
    chance: chanceOf({ tokens, numExperts, topK }),
    locality: locality(routing, sequences),
    domains: domainPreferences(byDomain, domains, numExperts),
    mutualInformation: mutualInformation(byDomain, numExperts),
    companions: companions(coActivation(routing), numExperts, tokens),
    smallestGap: smallestGap(layer, routing),
    largestLogit: logits.reduce((largest, logit) => Math.max(largest, Math.abs(logit)), 0),
  }
}

/** In float64 from the hidden states on: a gap of 1e-6 is not to be read off float32 scores. */
function smallestGap({ hidden, weight, bias }: TraceLayer, { tokens, topK, numExperts }: Routing): number {
  const width = hidden.length / tokens
  const keys = new Float64Array(numExperts)
  let smallest = Number.POSITIVE_INFINITY
  for (let token = 0; token < tokens; token++) {
    for (let e = 0; e < numExperts; e++) {
      let logit = 0
      for (let d = 0; d < width; d++) logit += hidden[token * width + d] * weight[e * width + d]
      keys[e] = -(sigmoid(logit) + bias[e])
    }
    keys.sort() // ascending, so the negated keys come best first
    smallest = Math.min(smallest, (keys[topK] ?? Number.POSITIVE_INFINITY) - keys[topK - 1])
  }
  return smallest
}
