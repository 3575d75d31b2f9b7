import { demand, type LayerLoad, layersOf, loadOf, readLoadCsv, sumLoads } from '../index.js'
import { headed, readBytes } from '../node/files.js'
import { readRecorded } from './recorded.js'
import { count } from './table.js'

/** Loads to work with, and in words what they were counted over. */
export interface GivenLoads {
  readonly words: string
  readonly layers: readonly LayerLoad[]
}

/**
 * Reads the loads of a file, whatever its name: a report of `simulate --out`, recorded training, a recorded trace, or CSV.
 * Of steps the last `last` are summed. `command` is the one that asks.
 */
export function readLoads(command: string, path: string, last: number): GivenLoads {
  const bytes = readBytes(path)
  if (bytes.subarray(0, 8).includes(0)) return recordedLoads(command, path, bytes, last) // safetensors begin with a number
  if (bytes[0] === 123) return reportedLoads(command, path, bytes, last) // {
  const layers = headed(path, () => readLoadCsv(new TextDecoder().decode(bytes)))
  return { words: count(layers.length, 'layer'), layers }
}

function recordedLoads(command: string, path: string, bytes: Uint8Array, last: number): GivenLoads {
  const recorded = readRecorded(command, path, bytes)
  if ('trace' in recorded) {
    const { trace } = recorded
    const layers = trace.layers.map(({ index, experts, weights }) => {
      const { tokens } = trace
      return {
        index,
        load: Float64Array.from(loadOf({ ...trace.router, tokens, experts, weights, dropped: 0 })),
      }
    })
    return { words: `${count(trace.tokens, 'recorded token')}, ${count(layers.length, 'layer')}`, layers }
  }
  const { steps, layerIndices, numExperts, counts } = recorded.training
  const width = layerIndices.length * numExperts
  const used = Math.min(last, steps.length)
  const summed = Array.from({ length: used }, (_, i) => {
    const first = (steps.length - used + i) * width
    return counts.subarray(first, first + width)
  })
  return steppedLoads(summed, numExperts, layerIndices)
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

function reportedLoads(command: string, path: string, bytes: Uint8Array, last: number): GivenLoads {
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
    const rule = `${command}: line ${first + i + 1} of ${path} must be a report`
    demand(isReport(report), rule, text, 'Give a file of moesim simulate --out.')
    return report
  })
  const { numExperts } = reports[0]
  const loads = reports.map(({ load }) => Int32Array.from(load))
  return steppedLoads(loads, numExperts)
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Loads [L, E] of some steps, summed. */
function steppedLoads(
  loads: readonly Int32Array[],
  numExperts: number,
  indices?: readonly number[],
): GivenLoads {
  const layers = layersOf(sumLoads(loads), numExperts).map((load, layer) => ({
    index: indices?.[layer] ?? layer,
    load: Float64Array.from(load),
  }))
  const steps = loads.length === 1 ? 'the last step' : `the last ${loads.length} steps`
  return { words: `${steps} summed, ${count(layers.length, 'layer')}`, layers }
}
