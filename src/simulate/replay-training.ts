import { biasBalance } from '../balance/bias.js'
import { expectedMaxViolation } from '../metrics/chance.js'
import { layersOf, meanMaxViolation } from '../metrics/layers.js'
import { maxViolation } from '../metrics/load.js'
import type { TrainingLoad } from '../workload/training-load.js'

/** What replaying recorded training loads through the bias rule gives. */
export interface ReplayedTraining {
  /** Pairs of consecutive steps: the load of the one must make the bias of the next. */
  readonly pairs: number
  /** Pairs in which any bias of any layer differs in any bit. */
  readonly differingPairs: number
  /** [S, L] MaxVio of each recorded batch, and its mean over layers, [S]. */
  readonly maxViolationByLayer: Float64Array
  readonly maxViolation: Float64Array
  readonly expectedMaxViolation: number
}

/** Replays recorded training: from the counts and bias of step s to the bias of step s + 1, by the sign rule. */
export function replayTraining(recorded: TrainingLoad): ReplayedTraining {
  const { steps, layers, numExperts, counts, bias, rate, tokensPerStep, topK } = recorded
  const rule = biasBalance({ rate })
  const row = layers * numExperts
  let pairs = 0
  let differingPairs = 0
  for (let i = 0; i + 1 < steps.length; i++) {
    if (steps[i + 1] !== steps[i] + 1) continue
    pairs++
    const before = layersOf(bias.subarray(i * row, (i + 1) * row), numExperts)
    const loads = layersOf(counts.subarray(i * row, (i + 1) * row), numExperts)
    const after = layersOf(bias.subarray((i + 1) * row, (i + 2) * row), numExperts)
    const equal = after.every((layer, l) =>
      sameValues(rule.update({ bias: before[l], updates: 0 }, loads[l]).bias, layer),
    )
    if (!equal) differingPairs++
  }
  const batches = Array.from({ length: steps.length }, (_, i) => counts.subarray(i * row, (i + 1) * row))
  return {
    pairs,
    differingPairs,
    maxViolationByLayer: Float64Array.from(
      batches.flatMap((load) => layersOf(load, numExperts).map(maxViolation)),
    ),
    maxViolation: Float64Array.from(batches, (load) => meanMaxViolation(load, numExperts)),
    expectedMaxViolation: expectedMaxViolation({ tokens: tokensPerStep, numExperts, topK }),
  }
}

const sameValues = (a: Float32Array, b: Float32Array): boolean => a.every((value, i) => value === b[i])
