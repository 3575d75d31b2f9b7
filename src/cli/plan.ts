import { basename } from 'node:path'
import {
  type Balance,
  biasBalance,
  demand,
  domains,
  gaussian,
  noBalance,
  type RouterConfig,
  resolveRouter,
  routerLogits,
  routerOf,
  type Snapshot,
  type StepReport,
  simulate,
  type Trace,
  traceWorkload,
  type Workload,
} from '../index.js'
import { headed } from '../node/files.js'
import { capacityOf } from './capacity.js'
import { flag, type Given, oneOf, real, whole } from './given.js'
import type { Io } from './io.js'
import { type NamedModel, namedModels } from './models.js'
import { defaultPreset } from './preset.js'
import { readRecordedTrace } from './recorded.js'
import { count } from './table.js'

/** A simulation that was asked for, checked and ready to start. */
export interface Plan {
  /** What is simulated, in three or four lines. */
  readonly title: readonly string[]
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

/** Reads the options of `moesim simulate`. Throws an InputError on what cannot be simulated. */
export async function planSimulation(given: Given, io: Io): Promise<Plan> {
  refuseStrays(given)
  const source = given.trace ? recorded(given) : synthetic(given, await modelOf(given, io))
  const { words, router, workload, layers, tokens } = source
  const { numExperts, topK, scoreFunction } = router
  const steps = whole(given, 'steps', 300, 1e9, 'It is how many batches are routed.')
  const updateEvery = whole(given, 'updateEvery', 1, 1e9, 'Use 1 to move the bias after every step.')
  const seed = String(given.seed ?? 0)
  const remedy = 'Simulate more steps of fewer tokens.'
  const size = tokens * layers.length * numExperts
  demand(size <= 2 ** 28, 'simulate: tokens × layers × experts must be at most 2^28', size, remedy)
  const { words: rule, balance } = balanceOf(given)
  const bound = capacityOf(given, { tokens, topK, numExperts })
  const setup = {
    router,
    balance,
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
      `${words.router}: ${numExperts} experts, top ${topK}, ${scoreFunction}`,
      `${words.tokens}: ${count(tokens, 'token')} a step, ${count(layers.length, 'layer')}`,
      `${rule}${cadence}: ${count(steps, 'step')}, seed ${seed}`,
      ...(bound ? [bound.words] : []),
    ],
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

/** Tokens, and the router they go to. */
interface Source {
  readonly words: { readonly router: string; readonly tokens: string }
  readonly router: RouterConfig
  readonly workload: Workload
  readonly layers: readonly number[]
  readonly tokens: number
}

const tokensRemedy = 'It is the tokens of one step.'

/** Recorded tokens, and the router that they were recorded at. */
function recorded(given: Given): Source {
  const path = String(given.trace)
  const trace = readRecordedTrace('simulate', path)
  const most = trace.layers.length
  const layers = trace.layers.slice(0, whole(given, 'layers', most, most, 'The trace holds so many.'))
  return {
    words: { router: 'the recorded router', tokens: `tokens of ${basename(path)}` },
    router: trace.router,
    workload: logitsOf({ ...trace, layers }),
    layers: layers.map(({ index }) => index),
    tokens: whole(given, 'tokens', trace.tokens, 1 << 20, tokensRemedy),
  }
}

/** The recorded tokens with their logits, which stay the same whenever a token comes by: they are computed once. */
function logitsOf(trace: Trace): Workload {
  const { numExperts } = trace.router
  const layers = trace.layers.map((layer) => ({
    ...layer,
    hidden: routerLogits(layer.hidden, layer.weight, numExperts),
  }))
  const rows = traceWorkload({ ...trace, layers })
  return (context) => {
    const { hidden, ...batch } = rows(context)
    return { ...batch, logits: hidden! }
  }
}

/** The model of --preset, under the name that it was given by. */
async function modelOf({ preset = defaultPreset, assume }: Given, io: Io): Promise<NamedModel> {
  const [model] = await namedModels([String(preset)], io, assume === undefined ? assume : String(assume))
  return model
}

/** Drawn tokens, and the router of a model. */
function synthetic(given: Given, { label, model }: NamedModel): Source {
  const base = headed(label, () => routerOf(model))
  const numExperts = whole(given, 'experts', base.numExperts, 1 << 20, 'It is the number of routed experts.')
  const router = resolveRouter({
    ...base,
    numExperts,
    topK: whole(given, 'topK', base.topK, numExperts, 'A token cannot choose more experts than there are.'),
    scoreFunction: oneOf(given, 'score', base.scoreFunction, ['sigmoid', 'softmax', 'sqrtsoftplus']),
  })
  const { words, workload } = tokensOf(given, numExperts)
  const as = given.assume === undefined ? '' : `, read as ${given.assume}`
  const layers = whole(given, 'layers', 1, 1 << 10, 'It is the MoE layers simulated at once.')
  return {
    words: { router: `router of ${label === '-' ? model.name : label}${as}`, tokens: words },
    workload,
    router,
    layers: Array.from({ length: layers }, (_, layer) => layer),
    tokens: whole(given, 'tokens', 4096, 1 << 20, tokensRemedy),
  }
}

function tokensOf(given: Given, numExperts: number): { words: string; workload: Workload } {
  if (oneOf(given, 'workload', 'gaussian', ['gaussian', 'domains']) === 'gaussian') {
    const skew = real(given, 'skew', 0.5, 'Use 0 for experts that are all alike, 0.5 for a clear imbalance.')
    return { words: `gaussian tokens, skew ${skew}`, workload: gaussian({ numExperts, skew }) }
  }
  const sequenceLength = whole(given, 'sequenceLength', 64, 1 << 20, 'Use 1 for independent tokens.')
  const preference = real(given, 'preference', 1, 'Use 1; 0 makes all domains alike.')
  return {
    words: `sequences of ${count(sequenceLength, 'token')}, each of one of 15 domains, preference ${preference}`,
    workload: domains({ numExperts, sequenceLength, preference }),
  }
}

function balanceOf(given: Given): { words: string; balance: Balance<unknown> } {
  const rule = oneOf(given, 'rule', 'sign', ['sign', 'proportional', 'none'])
  if (rule === 'none') return { words: 'no balancing', balance: noBalance as Balance<unknown> }
  const rate = real(given, 'rate', 1e-3, 'Use 0.001, as DeepSeek-V3 and Nemotron 3 do.')
  const center = given.center === true
  const unit = oneOf(given, 'unit', 'mean', ['mean', 'fraction', 'tokens'])
  const [measure, words] = rule === 'sign' ? [{}, ''] : [{ unit }, ` in units of ${unit}`]
  return {
    words: `${rule} rule${words}, rate ${rate}${center ? ', centred' : ''}`,
    balance: biasBalance({ rate, rule, center, ...measure }) as Balance<unknown>,
  }
}

/** Options that only have a meaning beside another one: left without it, someone expects what will not happen. */
function refuseStrays(given: Given): void {
  const drawn = [
    'preset',
    'assume',
    'experts',
    'topK',
    'score',
    'workload',
    'skew',
    'sequenceLength',
    'preference',
  ]
  const stray = (names: readonly string[], holds: boolean, rule: string): void => {
    const found = names.find((name) => given[name] !== undefined)
    const remedy = 'Leave out one of the two.'
    demand(holds || found === undefined, `simulate: ${rule}`, found === undefined ? '' : flag(found), remedy)
  }
  const { workload = 'gaussian', rule = 'sign' } = given
  stray(drawn, given.trace === undefined, '--trace brings its own router and tokens')
  stray(['skew'], workload === 'gaussian', '--workload gaussian is what has a skew')
  stray(['sequenceLength', 'preference'], workload === 'domains', '--workload domains is what has sequences')
  stray(['drop'], given.capacityFactor !== undefined, '--capacity-factor is what makes room run out')
  stray(['overwrite'], given.out !== undefined, '--out is what names a file to replace')
  stray(['unit'], rule === 'proportional', '--rule proportional is what has a unit')
  stray(['rate', 'center', 'updateEvery'], rule !== 'none', '--rule none moves no bias')
}
