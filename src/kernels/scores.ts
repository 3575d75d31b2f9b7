import { exp, sigmoid, softplus } from '../math.js'
import { type RoutingInstance, routingModule } from './routing-module.js'

/** How a row of logits becomes scores. */
export type ScoreFunction = 'sigmoid' | 'sqrtsoftplus' | 'softmax'

/** How the keys come from the rows: with 'afterTopK', the logits are the scores. */
export type Scoring = ScoreFunction | 'afterTopK'

/**
 * Logits [T, E] to scores [T, E], each a float64 function of the float32 logits, rounded once to float32. Logits of −∞
 * score `masked`. Undefined if a logit is NaN or +∞.
 */
export function scoreRows(
  logits: Float32Array,
  numExperts: number,
  scoreFunction: ScoreFunction,
  masked: number,
): Float32Array | undefined {
  const instance = routingModule.shared()
  const score = instance === undefined ? plainScores : fastScores(instance)
  return score(logits, numExperts, scoreFunction, masked)
}

export const scoreKinds: Readonly<Record<ScoreFunction, number>> = { sigmoid: 0, sqrtsoftplus: 1, softmax: 2 }

/** Rows that fit, with their scores, in the second-level cache. */
const cachedFloats = 1 << 15

const fastScores =
  (kernels: RoutingInstance): typeof scoreRows =>
  (logits, numExperts, scoreFunction, masked) => {
    const rows = Math.max(1, Math.min(logits.length / numExperts, Math.floor(cachedFloats / numExperts)))
    const length = rows * numExperts
    const bytes = 4 * length + 64
    const [rowsAt, scoresAt, powersAt] = kernels.lay(bytes, bytes, 8 * numExperts + 64)
    const block = kernels.floats(rowsAt, length)
    const scores = kernels.floats(scoresAt, length)
    const result = new Float32Array(logits.length)
    const kind = scoreKinds[scoreFunction]
    for (let first = 0; first < logits.length; first += length) {
      const some = Math.min(length, logits.length - first)
      block.set(logits.subarray(first, first + some))
      if (!kernels.scores(rowsAt, some / numExperts, numExperts, kind, masked, scoresAt, powersAt))
        return undefined
      result.set(scores.subarray(0, some), first)
    }
    return result
  }

export function plainScores(
  logits: Float32Array,
  numExperts: number,
  scoreFunction: ScoreFunction,
  masked: number,
): Float32Array | undefined {
  const scores = logits.slice()
  if (scoreFunction === 'softmax') {
    const powers = new Float64Array(numExperts)
    for (let row = 0; row < logits.length; row += numExperts) softmaxRow(logits, row, powers, scores, row)
  } else scoreEach(scores, 0, logits.length, scoreFunction)
  for (let i = 0; i < logits.length; i++) {
    if (!(logits[i] < Infinity)) return undefined
    if (logits[i] === Number.NEGATIVE_INFINITY) scores[i] = masked
  }
  return scores
}

/** Turns logits from `start` to `end` into scores where they stand; what depends on whole rows stays as it is. */
export function scoreEach(values: Float32Array, start: number, end: number, scoring: Scoring): void {
  if (scoring === 'sigmoid') for (let i = start; i < end; i++) values[i] = sigmoid(values[i])
  if (scoring === 'sqrtsoftplus') for (let i = start; i < end; i++) values[i] = Math.sqrt(softplus(values[i]))
}

/**
 * Softmax over the row of logits at `row`, as long as `powers` is, to `out` at `to`; of masked experts alone it is all 0. The
 * sum runs in float64 as four interleaved partial sums, an order that SIMD lanes can follow.
 */
function softmaxRow(
  logits: Float32Array,
  row: number,
  powers: Float64Array,
  out: Float32Array,
  to: number,
): void {
  let largest = Number.NEGATIVE_INFINITY
  for (let e = 0; e < powers.length; e++) largest = Math.max(largest, logits[row + e])
  if (largest === Number.NEGATIVE_INFINITY) {
    out.fill(0, to, to + powers.length)
    return
  }
  for (let e = 0; e < powers.length; e++) powers[e] = exp(logits[row + e] - largest)
  const total = interleavedSum(powers)
  for (let e = 0; e < powers.length; e++) out[to + e] = powers[e] / total
}

/** ((a₀ + a₄ + …) + (a₁ + a₅ + …)) + ((a₂ + …) + (a₃ + …)). */
function interleavedSum(values: Float64Array): number {
  const partial = new Float64Array(4)
  for (let i = 0; i < values.length; i++) partial[i & 3] += values[i]
  return partial[0] + partial[1] + (partial[2] + partial[3])
}
