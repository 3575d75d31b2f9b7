import { createHash } from 'node:crypto'
import { basename } from 'node:path'
import {
  domains,
  gaussian,
  type ResolvedRouter,
  resolveRouter,
  routerLogits,
  routerOf,
  type Trace,
  traceWorkload,
  type Workload,
} from '../index.js'
import { headed, readBytes } from '../node/files.js'
import { demandUsage, type Given, oneOf, real, whole } from './given.js'
import type { Io } from './io.js'
import { type NamedModel, namedModels } from './models.js'
import { defaultPreset } from './preset.js'
import { readRecordedTrace } from './recorded.js'
import { count } from './table.js'

/** Tokens, and the router they go to. */
export interface Source {
  readonly words: { readonly router: string; readonly tokens: string }
  /** The same as data: the model that the router is of, if it is of one, and what draws the tokens. */
  readonly made: { readonly model?: string; readonly assume?: string; readonly workload: object }
  readonly router: ResolvedRouter
  readonly workload: Workload
  readonly layers: readonly number[]
  readonly tokens: number
}

/** Reads what tokens the options ask for. Throws an InputError on what cannot be had. */
export async function sourceOf(given: Given, io: Io): Promise<Source> {
  return given.trace ? recorded(given) : synthetic(given, await modelOf(given, io))
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
    made: { workload: { kind: 'trace', file: basename(path), sha256: sha256Of(path) } },
    router: resolveRouter(trace.router),
    workload: logitsOf({ ...trace, layers }),
    layers: layers.map(({ index }) => index),
    tokens: whole(given, 'tokens', trace.tokens, 1 << 20, tokensRemedy),
  }
}

/** By their bytes, files of one name are told from each other. */
const sha256Of = (path: string): string => createHash('sha256').update(readBytes(path)).digest('hex')

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

/** Options that make another router of the model's. */
const ofRouter = ['experts', 'topK', 'score', 'groups', 'topGroups']

/** Drawn tokens, and the router of a model. */
function synthetic(given: Given, named: NamedModel): Source {
  const router = routerFor(given, named)
  const { words, made, workload } = tokensOf(given, router.numExperts)
  const { label, model } = named
  const assume = given.assume === undefined ? {} : { assume: String(given.assume) }
  const as = 'assume' in assume ? `, read as ${assume.assume}` : ''
  const changed = ofRouter.some((name) => given[name] !== undefined) ? ' changed from that' : ''
  const layers = whole(given, 'layers', 1, 1 << 10, 'It is the MoE layers simulated at once.')
  return {
    words: { router: `router${changed} of ${label === '-' ? model.name : label}${as}`, tokens: words },
    made: { model: label === '-' ? model.name : basename(label), ...assume, workload: made },
    workload,
    router,
    layers: Array.from({ length: layers }, (_, layer) => layer),
    tokens: whole(given, 'tokens', 4096, 1 << 20, tokensRemedy),
  }
}

/** The router of a model, with what the options change of it. */
function routerFor(given: Given, { label, model }: NamedModel): ResolvedRouter {
  const base = headed(label, () => routerOf(model))
  const numExperts = whole(given, 'experts', base.numExperts, 1 << 20, 'It is the number of routed experts.')
  const numGroups = whole(given, 'groups', base.numGroups ?? 1, numExperts, 'Use 1 for none.')
  const evenly = `--groups must divide the number of experts, which is ${numExperts}`
  demandUsage(numExperts % numGroups === 0, evenly, numGroups, 'Groups are equally large; 1 is none.')
  const kept = given.groups === undefined ? (base.topGroups ?? numGroups) : numGroups
  return resolveRouter({
    ...base,
    numExperts,
    topK: whole(given, 'topK', base.topK, numExperts, 'A token cannot choose more experts than there are.'),
    scoreFunction: oneOf(given, 'score', base.scoreFunction, ['sigmoid', 'softmax', 'sqrtsoftplus']),
    numGroups,
    topGroups: whole(given, 'topGroups', kept, numGroups, 'It is how many of the --groups a token may use.'),
  })
}

function tokensOf(given: Given, numExperts: number): { words: string; made: object; workload: Workload } {
  const kind = oneOf(given, 'workload', 'gaussian', ['gaussian', 'domains'])
  if (kind === 'gaussian') {
    const skew = real(given, 'skew', 0.5, 'Use 0 for experts that are all alike, 0.5 for a clear imbalance.')
    const workload = gaussian({ numExperts, skew })
    return { words: `gaussian tokens, skew ${skew}`, made: { kind, skew }, workload }
  }
  const sequenceLength = whole(given, 'sequenceLength', 64, 1 << 20, 'Use 1 for independent tokens.')
  const preference = real(given, 'preference', 1, 'Use 1; 0 makes all domains alike.')
  return {
    words: `sequences of ${count(sequenceLength, 'token')}, each of one of 15 domains, preference ${preference}`,
    made: { kind, sequenceLength, preference },
    workload: domains({ numExperts, sequenceLength, preference }),
  }
}
