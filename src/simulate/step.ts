import { addTo, concatenate } from '../arrays.js'
import type { Balance } from '../balance/protocol.js'
import { demand } from '../errors.js'
import type { Batch } from '../router/protocol.js'
import { loadOf, type Routing } from '../router/routing.js'
import type { Seen, World } from './start.js'

/** A simulation between two steps: a plain value. */
export interface SimulationState<State> {
  /** The next step to simulate. */
  readonly step: number
  /** [L] states of the balance rule. */
  readonly balances: readonly State[]
  /** [L, E] load since the last bias update, and, where the rule looks at it, what it was counted from: [steps][L]. */
  readonly pending: { readonly load: Int32Array; readonly seen: readonly (readonly Seen[])[] }
}

/** What happened in one step, before anyone measures it. */
export interface StepResult {
  /** [L, E] tokens per expert. */
  readonly load: Int32Array
  /** [L, E] the bias that this step was routed with. */
  readonly bias: Float32Array
  readonly dropped: number
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
  const seen = rows.map((row) => row.seen)
  const load = new Int32Array(layers * numExperts)
  const bias = new Float32Array(layers * numExperts)
  seen.forEach(({ routing }, layer) => {
    load.set(loadOf(routing), layer * numExperts)
    bias.set(biases[layer], layer * numExperts)
  })
  const pending = {
    load: state.pending.load.slice(),
    seen: looks(balance) ? [...state.pending.seen, seen] : [],
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
      dropped: seen.reduce((sum, { routing }) => sum + routing.dropped, 0),
      batches: rows.map((row) => row.batch),
      routings: seen.map(({ routing }) => routing),
    },
  }
}

function routeLayer<State>(world: World<State>, step: number, layer: number, bias: Float32Array) {
  const { workload, route, random, tokensPerStep, numExperts } = world
  const context = { step, layer, tokens: tokensPerStep, random }
  const batch = workload(context)
  const seen = route(batch, bias, context)
  const { tokens, numExperts: experts } = seen.routing
  demand(
    tokens === batch.tokens && experts === numExperts,
    `simulate: a batch of ${batch.tokens} tokens must be routed as such, over ${numExperts} experts`,
    `a routing of ${tokens} tokens over ${experts}`,
    'Make the workload, the router and numExperts agree.',
  )
  return { batch, seen }
}

/** Whether the rule's update declares a third parameter: what it does not look at need not be kept. */
const looks = <State>(balance: Balance<State>): boolean => balance.update.length > 2

export const nothingPending = <State>({
  layers,
  numExperts,
}: World<State>): SimulationState<State>['pending'] => ({
  load: new Int32Array(layers * numExperts),
  seen: [],
})

/** One bias update a layer, from the load of all pending steps together. */
function update<State>(
  { balance, numExperts }: World<State>,
  balances: readonly State[],
  { load, seen }: SimulationState<State>['pending'],
): State[] {
  return balances.map((state, layer) => {
    const own = load.subarray(layer * numExperts, (layer + 1) * numExperts)
    const { routing, scores } = seen.length > 0 ? join(seen.map((row) => row[layer])) : ({} as Partial<Seen>)
    return balance.update(state, own, routing && scores && { routing, scores })
  })
}

/** The routings of several micro-batches as if they had been one batch. */
function join(parts: readonly Seen[]): Seen {
  const routings = parts.map(({ routing }) => routing)
  const scores = parts.flatMap((part) => part.scores ?? [])
  const routing = {
    ...routings[0],
    tokens: routings.reduce((sum, { tokens }) => sum + tokens, 0),
    experts: concatenate(routings.map(({ experts }) => experts)),
    weights: concatenate(routings.map(({ weights }) => weights)),
    dropped: routings.reduce((sum, { dropped }) => sum + dropped, 0),
  }
  return scores.length < parts.length ? { routing } : { routing, scores: concatenate(scores) }
}
