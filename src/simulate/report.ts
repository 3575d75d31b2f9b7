import { chanceOf } from '../metrics/chance.js'
import { balanceOfLayers, layersOf } from '../metrics/layers.js'
import { type BalanceFigures, maxViolation } from '../metrics/load.js'
import type { Batch } from '../router/protocol.js'
import { filledSlots, type Routing } from '../router/routing.js'
import { mean } from '../stats.js'
import type { Snapshot } from './snapshot.js'
import type { StepResult } from './step.js'

/** One step of a simulation, measured. Figures are means over layers of this batch's own load. */
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
  /** [L] the tokens and where they went. */
  readonly batches: readonly Batch[]
  readonly routings: readonly Routing[]
  /** The simulation after this step. */
  snapshot(): Snapshot
}

/** Measures a step. `numExperts` is E; `snapshot` is taken when asked for. */
export function reportOf(
  step: number,
  result: StepResult,
  numExperts: number,
  snapshot: () => Snapshot,
): StepReport {
  const { load, bias } = result
  const { tokens } = result.batches[0]
  const loads = layersOf(load, numExperts)
  const biases = layersOf(bias, numExperts)
  const balance = balanceOfLayers(load, numExperts)
  const chance = chanceOf({ numExperts, ...fairLoad(result.routings) })
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
    biasSpread: Float64Array.from(biases, (layer) => extreme(layer, Math.max) - extreme(layer, Math.min)),
    dropped: result.dropped,
    unroutedTokens: result.unroutedTokens,
    batches: result.batches,
    routings: result.routings,
    snapshot,
  }
}

/** The tokens of a layer that have an expert, and how many: means over layers, and K over tokens too. */
function fairLoad(routings: readonly Routing[]): { tokens: number; topK: number } {
  let placed = 0
  let assignments = 0
  for (const routing of routings) {
    for (const filled of filledSlots(routing)) {
      if (filled > 0) placed++
      assignments += filled
    }
  }
  return { tokens: Math.round(placed / routings.length), topK: assignments / Math.max(1, placed) }
}

const extreme = (values: Float32Array, better: (a: number, b: number) => number): number =>
  values.reduce((best, value) => better(best, value))

/** A report as a plain JSON record, without the tokens and routings themselves. */
export function reportToJson(report: StepReport): Record<string, unknown> {
  const { batches: _batches, routings: _routings, snapshot: _snapshot, ...figures } = report
  return Object.fromEntries(
    Object.entries(figures).map(([key, value]) => [
      key,
      ArrayBuffer.isView(value) ? Array.from(value as Float64Array) : value,
    ]),
  )
}
