import { demand } from '../errors.js'
import { chanceOf } from '../metrics/chance.js'
import type { BalanceFigures } from '../metrics/load.js'
import { reportOf, type StepReport } from './report.js'
import type { Setup } from './setup.js'
import { checkSnapshot, decode, encode, type Snapshot } from './snapshot.js'
import { start, type World } from './start.js'
import { nothingPending, type SimulationState, step } from './step.js'

/**
 * Simulates routing and balancing step by step: workload → router → load → report → next bias.
 *
 * Lazy and endless unless `steps` is given: take reports while you want them and stop with `break`. The same setup and
 * seed give the same bytes, and so does a simulation resumed `from` a report's snapshot. Throws an InputError, before
 * the first step, on a setup that contradicts itself.
 *
 * Tokens of `gaussian` or `hiddenGaussian` that a top-k or linear router routes stay in the kernel that draws them, which
 * saves a quarter to a third of a step, unless there is a capacity or a rule that looks at more than loads.
 */
export function simulate<State>(setup: Setup<State>): Generator<StepReport, void, void>
/** The same for a balance that is one of several rules: which one, its type need not tell. */
export function simulate(setup: Setup<unknown>): Generator<StepReport, void, void>
export function simulate<State>(setup: Setup<State>): Generator<StepReport, void, void> {
  const world = start(setup)
  const state = setup.from === undefined ? initial(world) : resume(world, setup.from)
  return run(world, state, setup.steps ?? Number.POSITIVE_INFINITY)
}

function* run<State>(
  world: World<State>,
  from: SimulationState<State>,
  steps: number,
): Generator<StepReport, void, void> {
  let state = from
  const chanceFor = remembering(chanceOf)
  for (let done = 0; done < steps; done++) {
    const { step: index } = state
    const { state: next, result } = step(world, state)
    state = next
    yield reportOf(index, result, world.numExperts, () => snapshotOf(world, next), chanceFor)
  }
}

/** The floor is the same in every step of most simulations, and takes longer than a small step. */
function remembering(chance: typeof chanceOf): typeof chanceOf {
  let last: { tokens: number; topK: number; figures: BalanceFigures } | undefined
  return (routing) => {
    const { tokens, topK } = routing
    if (last?.tokens !== tokens || last.topK !== topK) last = { tokens, topK, figures: chance(routing) }
    return last.figures
  }
}

function initial<State>(world: World<State>): SimulationState<State> {
  const balances = Array.from({ length: world.layers }, () => world.balance.init(world.numExperts))
  return { step: 0, balances, pending: nothingPending(world) }
}

function snapshotOf<State>(world: World<State>, { step, balances }: SimulationState<State>): Snapshot {
  return { version: 1, step, numExperts: world.numExperts, balances: balances.map(encode) }
}

/** What is pending is not in the snapshot: the steps since the last update are made again, which gives the same load. */
function resume<State>(world: World<State>, from: Snapshot): SimulationState<State> {
  checkSnapshot(from, world.layers, world.numExperts)
  const balances = from.balances.map((state) => decode(state) as State)
  for (const state of balances) checkState(world, state)
  const lastUpdate = from.step - (from.step % world.updateEvery)
  let state: SimulationState<State> = { step: lastUpdate, balances, pending: nothingPending(world) }
  while (state.step < from.step) state = step(world, state).state
  return state
}

/** A state that lacks what the rule's first one has, or that it does not read as a bias, was saved by another rule. */
function checkState<State>({ balance, numExperts }: World<State>, state: State): void {
  let bias: unknown
  try {
    bias = balance.bias(state)
  } catch {
    bias = undefined
  }
  const parts = Object.keys(balance.init(numExperts) as object)
  const holds =
    bias instanceof Float32Array &&
    bias.length === numExperts &&
    parts.every((part) => part in (state as object))
  const rule = 'simulate: from must hold states of this balance rule'
  demand(holds, rule, state, 'Resume with the setup that made it.')
}
