import { addTo } from '../arrays.js'
import type { Seen } from '../balance/protocol.js'
import { unroutedTokens } from '../capacity/unrouted.js'
import { demand } from '../errors.js'
import type { Batch } from '../router/protocol.js'
import { joinRoutings, loadOf, type Routing } from '../router/routing.js'
import type { World } from './start.js'

/** A simulation between two steps: a plain value. */
export interface SimulationState<State> {
  /** The next step to simulate. */
  readonly step: number
  /** [L] states of the balance rule. */
  readonly balances: readonly State[]
  /** [L, E] load since the last bias update, and the routings counted there, [steps][L], unless the rule looks at the load alone. */
  readonly pending: { readonly load: Int32Array; readonly routings: readonly (readonly Routing[])[] }
}

/** What happened in one step, before anyone measures it. */
export interface StepResult {
  /** [L, E] tokens per expert. */
  readonly load: Int32Array
  /** [L, E] the bias that this step was routed with. */
  readonly bias: Float32Array
  readonly dropped: number
  readonly unroutedTokens: number
  readonly batches: readonly Batch[]
  readonly routings: readonly Routing[]
}

/** One step of every layer: state in, state out. The bias moves after the routing, from the load it has just counted. */
export function step<State>(
  world: World<State>,
  state: SimulationState<State>,
): { state: SimulationState<State>; result: StepResult } {
  const { balance, numExperts, layers } = world
  const biases = state.balances.map((balanceState) => balance.bias(balanceState))
  const rows = biases.map((bias, layer) => routeLayer(world, state.step, layer, bias))
  const routings = rows.map((row) => row.routing)
  const load = new Int32Array(layers * numExperts)
  const bias = new Float32Array(layers * numExperts)
  routings.forEach((routing, layer) => {
    load.set(loadOf(routing), layer * numExperts)
    bias.set(biases[layer], layer * numExperts)
  })
  const pending = {
    load: state.pending.load.slice(),
    routings: balance.loadOnly ? [] : [...state.pending.routings, routings],
  }
  addTo(pending.load, load)
  const due = (state.step + 1) % world.updateEvery === 0
  return {
    state: {
      step: state.step + 1,
      balances: due ? update(world, state.balances, pending) : state.balances,
      pending: due ? nothingPending(world) : pending,
    },
    result: {
      load,
      bias,
      dropped: routings.reduce((sum, { dropped }) => sum + dropped, 0),
      unroutedTokens: routings.reduce((sum, routing) => sum + unroutedTokens(routing), 0),
      batches: rows.map((row) => row.batch),
      routings,
    },
  }
}

function routeLayer<State>(world: World<State>, step: number, layer: number, bias: Float32Array) {
  const { workload, route, random, tokensPerStep, numExperts } = world
  const context = { step, layer, tokens: tokensPerStep, random }
  const batch = workload(context)
  const routing = route(batch, bias, context)
  const { tokens, numExperts: experts } = routing
  demand(
    tokens === batch.tokens && experts === numExperts,
    `simulate: a batch of ${batch.tokens} tokens must be routed as such, over ${numExperts} experts`,
    `a routing of ${tokens} tokens over ${experts}`,
    'Make the workload, the router, the capacity and numExperts agree.',
  )
  checkRouting(routing)
  return { batch, routing }
}

/** Nothing is lost: a router of one's own may fill no slot that the load would not count. */
function checkRouting({ tokens, topK, numExperts, experts, weights }: Routing): void {
  demand(
    experts.length === tokens * topK && weights.length === tokens * topK,
    `simulate: a routing must hold ${tokens} × ${topK} experts and as many weights`,
    `${experts.length} experts and ${weights.length} weights`,
    'Fill the slots that a token does not use with −1, and their weights with 0.',
  )
  const odd = experts.findIndex((expert) => expert < -1 || expert >= numExperts)
  demand(
    odd < 0,
    `simulate: the experts of a routing must be from 0 to ${numExperts - 1}, or −1`,
    experts[odd],
    'Number the routed experts from 0.',
  )
}

export const nothingPending = <State>({
  layers,
  numExperts,
}: World<State>): SimulationState<State>['pending'] => ({
  load: new Int32Array(layers * numExperts),
  routings: [],
})

/** One bias update a layer, from the load of all pending steps together. */
function update<State>(
  { balance, numExperts }: World<State>,
  balances: readonly State[],
  { load, routings }: SimulationState<State>['pending'],
): State[] {
  return balances.map((state, layer) => {
    const own = load.subarray(layer * numExperts, (layer + 1) * numExperts)
    return balance.update(state, own, join(routings.map((row) => row[layer])))
  })
}

/** The routings of several micro-batches as one, where all of them tell their scores. */
function join(parts: readonly Routing[]): Seen | undefined {
  if (parts.length === 0) return undefined
  const routing = joinRoutings(parts)
  const { scores } = routing
  return scores && { routing, scores, microBatches: parts.map(({ tokens }) => tokens) }
}
