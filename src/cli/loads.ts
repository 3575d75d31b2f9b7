import { demand, type LayerLoad, layersOf, loadOf, readLoadCsv, sumLoads } from '../index.js'
import { headed, readBytes } from '../node/files.js'
import { jsonOf } from '../node/json.js'
import { placedFileOf } from './cost-placement.js'
import { readRecorded } from './recorded.js'
import { count } from './table.js'

/** Loads to work with, and in words what they were counted over. */
export interface GivenLoads {
  readonly path: string
  readonly words: string
  readonly layers: readonly LayerLoad[]
  /** How many experts each token chose, where the file tells. */
  readonly topK?: number
}

/**
 * Reads the loads of a file, whatever its name: a report of `simulate --out`, recorded training, a recorded trace, or CSV.
 * Of steps the last `last` are summed, 20 unless given; what has no steps is refused with it. `command` is the one that asks.
 */
export function readLoads(command: string, path: string, last: number | undefined): GivenLoads {
  const bytes = readBytes(path)
  if (bytes.subarray(0, 8).includes(0)) return { path, ...recordedLoads(command, path, bytes, last) } // safetensors begin with a number
  if (bytes[0] === 123) return { path, ...reportedLoads(command, path, bytes, last) } // {
  const layers = headed(path, () => readLoadCsv(new TextDecoder().decode(bytes)))
  demandNoLast(path, last)
  return { path, words: count(layers.length, 'layer'), layers }
}

const lastUnlessGiven = 20

/** Refuses --last beside a file without steps. */
function demandNoLast(path: string, last: number | undefined): void {
  const rule = `--last must stand with a report or recorded training, which ${path} is not`
  demand(last === undefined, rule, last, 'Leave it out: all of the file is used.')
}

type ReadLoads = Omit<GivenLoads, 'path'>

function recordedLoads(
  command: string,
  path: string,
  bytes: Uint8Array,
  last: number | undefined,
): ReadLoads {
  const recorded = readRecorded(command, path, bytes)
  if ('trace' in recorded) {
    demandNoLast(path, last)
    const { trace } = recorded
    const layers = trace.layers.map(({ index, experts, weights }) => {
      const { tokens } = trace
      return {
        index,
        load: Float64Array.from(loadOf({ ...trace.router, tokens, experts, weights, dropped: 0 })),
      }
    })
    const words = `${count(trace.tokens, 'recorded token')}, ${count(layers.length, 'layer')}`
    return { words, layers, topK: trace.router.topK }
  }
  const { steps, layerIndices, numExperts, topK, counts } = recorded.training
  const width = layerIndices.length * numExperts
  const used = Math.min(last ?? lastUnlessGiven, steps.length)
  const summed = Array.from({ length: used }, (_, i) => {
    const first = (steps.length - used + i) * width
    return counts.subarray(first, first + width)
  })
  return { ...steppedLoads(summed, numExperts, layerIndices), topK }
}

/** What is used of a line of `simulate --out`. */
interface Report {
  readonly numExperts: number
  readonly load: readonly number[]
}

function isReport(json: unknown): json is Report {
  const { numExperts, load } = (json ?? {}) as Partial<Report>
  const isLoad = (tokens: unknown): boolean =>
    Number.isSafeInteger(tokens) && (tokens as number) >= 0 && (tokens as number) < 2 ** 31
  return typeof numExperts === 'number' && Array.isArray(load) && load.every(isLoad)
}

function reportedLoads(
  command: string,
  path: string,
  bytes: Uint8Array,
  last: number = lastUnlessGiven,
): ReadLoads {
  const lines: Uint8Array[] = [] // not one text: a report may be longer than a string can be
  for (let start = 0; start < bytes.length; ) {
    const feed = bytes.indexOf(10, start)
    const end = feed < 0 ? bytes.length : feed
    lines.push(bytes.subarray(start, end))
    start = end + 1
  }
  const first = Math.max(0, lines.length - last)
  const reports = lines.slice(first).map((line, i) => {
    const text = new TextDecoder().decode(line)
    const report = jsonOf(text)
    if (!isReport(report)) demandNoPlacement(command, path, bytes)
    const rule = `${command}: line ${first + i + 1} of ${path} must be a report`
    demand(isReport(report), rule, text, 'Give a file of moesim simulate --out.')
    return report
  })
  const { numExperts } = reports[0]
  const loads = reports.map(({ load }) => Int32Array.from(load))
  return steppedLoads(loads, numExperts)
}

/** Refuses what `place --json` printed: it is easily taken for the loads. */
function demandNoPlacement(command: string, path: string, bytes: Uint8Array): void {
  const isSmall = bytes.length < 2 ** 28 // as a text
  const isPlaced = isSmall && placedFileOf(new TextDecoder().decode(bytes)) !== undefined
  const rule = `${command}: ${path} must hold loads`
  demand(!isPlaced, rule, 'a placement', 'Give it to --placement of moesim cost, beside the --loads.')
}

/** Loads [L, E] of some steps, summed. */
function steppedLoads(
  loads: readonly Int32Array[],
  numExperts: number,
  indices?: readonly number[],
): ReadLoads {
  const layers = layersOf(sumLoads(loads), numExperts).map((load, layer) => ({
    index: indices?.[layer] ?? layer,
    load: Float64Array.from(load),
  }))
  const steps = loads.length === 1 ? 'the last step' : `the last ${loads.length} steps`
  return { words: `${steps} summed, ${count(layers.length, 'layer')}`, layers }
}
