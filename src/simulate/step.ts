import { addTo } from '../arrays.js'
import { seenOf } from '../balance/seen.js'
import type { Routing } from '../router/routing.js'
import type { LayerStep } from './layer-step.js'
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
  /** [L] */
  readonly layers: readonly LayerStep[]
}

/** One step of every layer: state in, state out. The bias moves after the routing, from the load it has just counted. */
export function step<State>(
  world: World<State>,
  state: SimulationState<State>,
): { state: SimulationState<State>; result: StepResult } {
  const { balance, numExperts, layers } = world
  const biases = state.balances.map((balanceState) => balance.bias(balanceState))
  const context = { step: state.step, tokens: world.tokensPerStep, random: world.random }
  const rows = biases.map((bias, layer) => world.stepLayer({ ...context, layer }, bias))
  const load = new Int32Array(layers * numExperts)
  const bias = new Float32Array(layers * numExperts)
  rows.forEach((row, layer) => {
    load.set(row.load, layer * numExperts)
    bias.set(biases[layer], layer * numExperts)
  })
  const due = (state.step + 1) % world.updateEvery === 0
  const pending = {
    load: state.pending.load.slice(),
    routings: balance.loadOnly
      ? []
      : [...state.pending.routings, rows.map(({ routing }) => (due ? routing : copyOf(routing)))],
  }
  addTo(pending.load, load)
  return {
    state: {
      step: state.step + 1,
      balances: due ? update(world, state.balances, pending) : state.balances,
      pending: due ? nothingPending(world) : pending,
    },
    result: { load, bias, layers: rows },
  }
}

export const nothingPending = <State>({
  layers,
  numExperts,
}: World<State>): SimulationState<State>['pending'] => ({
  load: new Int32Array(layers * numExperts),
  routings: [],
})

/** A routing that waits for an update, with the scores of its step: whoever has the report may write in the other. */
function copyOf(routing: Routing): Routing {
  const { experts, weights, scores } = routing
  return {
    ...routing,
    experts: experts.slice(),
    weights: weights.slice(),
    scores: scores?.slice(),
  } as Routing
}

/** One bias update a layer, from the load of all pending steps together. */
function update<State>(
  { balance, numExperts }: World<State>,
  balances: readonly State[],
  { load, routings }: SimulationState<State>['pending'],
): State[] {
  return balances.map((state, layer) => {
    const own = load.subarray(layer * numExperts, (layer + 1) * numExperts)
    return balance.update(state, own, seenOf(routings.map((row) => row[layer])))
  })
}
