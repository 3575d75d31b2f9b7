import {
  type Balance,
  biasBalance,
  demand,
  noBalance,
  type ResolvedRouter,
  type Snapshot,
  type StepReport,
  simulate,
} from '../index.js'
import { capacityOf } from './capacity.js'
import { type Given, oneOf, real, whole } from './given.js'
import type { Io } from './io.js'
import { type Source, sourceOf } from './source.js'
import { refuseStrays } from './strays.js'
import { count } from './table.js'
import { version } from './version.js'

/** A simulation that was asked for, checked and ready to start. */
export interface Plan {
  /** What is simulated, in three or four lines. */
  readonly title: readonly string[]
  /** The same as data: equal setups give equal reports. */
  readonly setup: SimulatedSetup
  readonly steps: number
  readonly tokens: number
  /** The number of each layer, as it is shown. */
  readonly layers: readonly number[]
  readonly numExperts: number
  readonly topK: number
  /** Assignments of a step that an expert takes in a layer; absent where nothing is dropped. */
  readonly capacity?: number
  /** From the first step, or from a snapshot on; always up to `steps`. */
  start(from?: Snapshot): Generator<StepReport>
}

/** What made a report: the version of this program, and all options that change a figure. */
export interface SimulatedSetup {
  readonly moesim: string
  /** The model that the router is of, changed or not; absent where it was recorded. */
  readonly model?: string
  readonly assume?: string
  readonly router: ResolvedRouter
  readonly balance: object
  readonly workload: object
  readonly tokensPerStep: number
  readonly layers: readonly number[]
  readonly steps: number
  readonly seed: string
  readonly capacity?: object
}

/** Reads the options of `moesim simulate`. Throws an InputError on what cannot be simulated. */
export async function planSimulation(given: Given, io: Io): Promise<Plan> {
  refuseStrays(given)
  const { words, made, router, workload, layers, tokens } = await sourceOf(given, io)
  const { numExperts, topK } = router
  const steps = whole(given, 'steps', 300, 1e9, 'It is how many batches are routed.')
  const updateEvery = whole(given, 'updateEvery', 1, 1e9, 'Use 1 to move the bias after every step.')
  const seed = String(given.seed ?? 0)
  const remedy = 'Simulate more steps of fewer tokens.'
  const size = tokens * layers.length * numExperts
  demand(size <= 2 ** 28, 'simulate: tokens × layers × experts must be at most 2^28', size, remedy)
  const rule = balanceOf(given)
  const bound = capacityOf(given, { tokens, topK, numExperts })
  const setup = {
    router,
    balance: rule.balance,
    workload,
    tokensPerStep: tokens,
    layers: layers.length,
    seed,
    updateEvery,
    ...(bound && { capacity: bound.policy }),
  }
  const cadence = updateEvery === 1 ? '' : ` every ${updateEvery} steps`
  return {
    title: [
      `${words.router}: ${routerInWords(router)}`,
      `${words.tokens}: ${count(tokens, 'token')} a step, ${count(layers.length, 'layer')}`,
      `${rule.words}${cadence}: ${count(steps, 'step')}, seed ${seed}`,
      ...(bound ? [bound.words] : []),
    ],
    setup: {
      moesim: version,
      ...made,
      router,
      balance: { ...rule.made, updateEvery },
      tokensPerStep: tokens,
      layers,
      steps,
      seed,
      ...(bound && { capacity: bound.made }),
    },
    steps,
    tokens,
    layers,
    numExperts,
    topK,
    ...(bound && { capacity: bound.capacity }),
    start: (from) =>
      simulate({ ...setup, steps: steps - (from?.step ?? 0), ...(from === undefined ? {} : { from }) }),
  }
}

function routerInWords({ numExperts, topK, scoreFunction, numGroups, topGroups }: Source['router']): string {
  const groups = numGroups === 1 ? '' : `, ${numGroups} groups, best ${topGroups}`
  return `${numExperts} experts, top ${topK}${groups}, ${scoreFunction}`
}

function balanceOf(given: Given): { words: string; made: object; balance: Balance<unknown> } {
  const rule = oneOf(given, 'rule', 'sign', ['sign', 'proportional', 'none'])
  if (rule === 'none')
    return { words: 'no balancing', made: { rule }, balance: noBalance as Balance<unknown> }
  const rate = real(given, 'rate', 1e-3, 'Use 0.001, as DeepSeek-V3 and Nemotron 3 do.')
  const center = given.center === true
  const unit = oneOf(given, 'unit', 'mean', ['mean', 'fraction', 'tokens'])
  const [measure, words] = rule === 'sign' ? [{}, ''] : [{ unit }, ` in units of ${unit}`]
  const made = { rule, rate, ...measure, center }
  return {
    words: `${rule} rule${words}, rate ${rate}${center ? ', centred' : ''}`,
    made,
    balance: biasBalance(made) as Balance<unknown>,
  }
}
