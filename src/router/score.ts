import { InputError } from '../errors.js'
import { exp, sigmoid, softplus } from '../math.js'
import type { ResolvedRouter } from './config.js'

/**
 * Logits [T, E] to scores [T, E]: each a float64 function of the float32 logit, rounded once to float32.
 *
 * A logit of −∞ marks an expert that its token cannot select; its score is 0. With softmax 'afterTopK' the selection
 * reads the logits themselves, so they are the scores. Throws an InputError, with the position, on NaN and +∞.
 */
export function scoreLogits(logits: Float32Array, router: ResolvedRouter): Float32Array {
  refuseUnordered(logits, router.numExperts, 'route')
  if (router.scoreFunction === 'sigmoid') return scoreEach(logits, sigmoid)
  if (router.scoreFunction === 'sqrtsoftplus') return scoreEach(logits, sqrtSoftplus)
  return router.softmaxOrder === 'afterTopK' ? logits : softmaxRows(logits, router.numExperts)
}

/** The scores as the selection reads them: −∞, below any bias, where a logit of −∞ keeps a token from an expert. */
export function maskScores(scores: Float32Array, logits: Float32Array): Float32Array {
  if (!logits.includes(Number.NEGATIVE_INFINITY)) return scores
  return scores.map((score, i) => (logits[i] === Number.NEGATIVE_INFINITY ? Number.NEGATIVE_INFINITY : score))
}

function scoreEach(logits: Float32Array, scoreOf: (logit: number) => number): Float32Array {
  const scores = new Float32Array(logits.length)
  for (let i = 0; i < logits.length; i++) scores[i] = scoreOf(logits[i])
  return scores
}

const sqrtSoftplus = (logit: number): number => Math.sqrt(softplus(logit))

/** Softmax over each row of `width` logits, a mask of −∞ gets 0; the sum in float64 as four interleaved partial sums, an order SIMD lanes can follow. */
export function softmaxRows(logits: Float32Array, width: number): Float32Array {
  const scores = new Float32Array(logits.length)
  const powers = new Float64Array(width)
  for (let row = 0; row < logits.length; row += width) {
    let largest = Number.NEGATIVE_INFINITY
    for (let e = 0; e < width; e++) largest = Math.max(largest, logits[row + e])
    if (largest === Number.NEGATIVE_INFINITY) continue // every expert is masked: no scores
    for (let e = 0; e < width; e++) powers[e] = exp(logits[row + e] - largest)
    const total = interleavedSum(powers)
    for (let e = 0; e < width; e++) scores[row + e] = powers[e] / total
  }
  return scores
}

/** ((a₀ + a₄ + …) + (a₁ + a₅ + …)) + ((a₂ + …) + (a₃ + …)). */
function interleavedSum(values: Float64Array): number {
  const partial = new Float64Array(4)
  for (let i = 0; i < values.length; i++) partial[i & 3] += values[i]
  return partial[0] + partial[1] + (partial[2] + partial[3])
}

/** Throws an InputError, headed by `who` and with the position, on a logit that is NaN or +∞. */
export function refuseUnordered(logits: Float32Array, width: number, who: string): void {
  for (let i = 0; i < logits.length; i++) {
    if (logits[i] < Infinity) continue
    throw new InputError(
      `${who}: the logit of token ${Math.floor(i / width)} for expert ${i % width} must be a number below +∞`,
      logits[i],
      'Use −∞ to keep a token from an expert; look for an overflow or a 0/0 upstream otherwise.',
    )
  }
}
