import type { chanceOf } from '../metrics/chance.js'
import { balanceOfLayers, layersOf } from '../metrics/layers.js'
import { type BalanceFigures, maxViolation } from '../metrics/load.js'
import type { Batch } from '../router/protocol.js'
import type { Routing } from '../router/routing.js'
import { mean, sum } from '../stats.js'
import type { Snapshot } from './snapshot.js'
import type { StepResult } from './step.js'

/**
 * One step of a simulation, measured. Figures are means over layers of this batch's own load. The arrays belong to the caller:
 * every step makes new ones, and later steps do not read those of a report.
 */
export interface StepReport {
  readonly step: number
  /** T, tokens of the step. */
  readonly tokens: number
  readonly numExperts: number
  /** [L, E] tokens per expert. */
  readonly load: Int32Array
  /**
   * MaxVio of this batch, and what chance alone gives for as many tokens with as many experts each: means over tokens that
   * have an expert, so that padding and fillers do not raise the floor.
   */
  readonly maxViolation: number
  readonly expectedMaxViolation: number
  /** [L] MaxVio of each layer. */
  readonly maxViolationByLayer: Float64Array
  /** All balance figures of this batch, and what chance alone gives. */
  readonly balance: BalanceFigures
  readonly chance: BalanceFigures
  /** [L, E] the bias that this step was routed with. */
  readonly bias: Float32Array
  /** [L] its mean, which may drift, and its spread, largest − smallest, which is what steers. */
  readonly biasMean: Float64Array
  readonly biasSpread: Float64Array
  /** Assignments, token and expert, that were chosen and then refused by a capacity, over all layers. */
  readonly dropped: number
  /**
   * Tokens left without any expert, over all layers, whether a capacity refused all their assignments or the router chose
   * none; padding is not counted where the router tells its scores. See `unroutedTokens`.
   */
  readonly unroutedTokens: number
  /**
   * [L] the tokens and where they went. Where a kernel has drawn and routed them in one go, they are made again when asked
   * for, at the price of the step, and then kept with the report.
   */
  readonly batches: readonly Batch[]
  readonly routings: readonly Routing[]
  /** The simulation after this step. */
  snapshot(): Snapshot
}

/** Measures a step. `numExperts` is E; `snapshot` is taken when asked for; `chanceFor` is `chanceOf`, which may remember. */
export function reportOf(
  step: number,
  result: StepResult,
  numExperts: number,
  snapshot: () => Snapshot,
  chanceFor: typeof chanceOf,
): StepReport {
  const { load, bias, layers } = result
  const { tokens } = layers[0]
  const loads = layersOf(load, numExperts)
  const biases = layersOf(bias, numExperts)
  const balance = balanceOfLayers(load, numExperts)
  const chance = chanceFor({ numExperts, ...fairLoad(result) })
  return {
    step,
    tokens,
    numExperts,
    load,
    maxViolation: balance.maxViolation,
    expectedMaxViolation: chance.maxViolation,
    maxViolationByLayer: Float64Array.from(loads, maxViolation),
    balance,
    chance,
    bias,
    biasMean: Float64Array.from(biases, mean),
    biasSpread: Float64Array.from(biases, spread),
    dropped: sum(layers.map((layer) => layer.dropped)),
    unroutedTokens: sum(layers.map((layer) => layer.unrouted)),
    get batches() {
      return layers.map((layer) => layer.batch)
    },
    get routings() {
      return layers.map((layer) => layer.routing)
    },
    snapshot,
  }
}

/** The tokens of a layer that have an expert, and how many: means over layers, and K over tokens too. */
function fairLoad({ layers }: StepResult): { tokens: number; topK: number } {
  const placed = sum(layers.map((layer) => layer.placed))
  const assignments = sum(layers.map((layer) => layer.assignments))
  return { tokens: Math.round(placed / layers.length), topK: assignments / Math.max(1, placed) }
}

function spread(values: Float32Array): number {
  let [least, most] = [values[0], values[0]]
  for (let i = 1; i < values.length; i++) {
    least = Math.min(least, values[i])
    most = Math.max(most, values[i])
  }
  return most - least
}

/** Not in a record, and not so much as looked at: they may have to be made again. */
const large: ReadonlySet<string> = new Set(['batches', 'routings', 'snapshot'])

/** A report as a plain JSON record, without the tokens and routings themselves. */
export function reportToJson(report: StepReport): Record<string, unknown> {
  return Object.fromEntries(
    Object.keys(report)
      .filter((key) => !large.has(key))
      .map((key) => {
        const value = report[key as keyof StepReport]
        return [key, ArrayBuffer.isView(value) ? Array.from(value as Float64Array) : value]
      }),
  )
}
