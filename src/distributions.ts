import { demand } from './errors.js'
import { exp, log } from './math.js'
import type { Draws } from './random.js'

/** Running sums of non-negative weights, scaled to end at 1: what `pick` searches. Throws an InputError if they sum to 0 or not at all. */
export function cumulative(weights: ArrayLike<number>): Float64Array {
  const sums = new Float64Array(weights.length)
  let total = 0
  for (let i = 0; i < weights.length; i++) {
    total += weights[i]
    sums[i] = total
  }
  const holds = total > 0 && total < Infinity
  demand(
    holds,
    'cumulative: the sum of the weights must be a finite number above 0',
    total,
    'Give some a weight.',
  )
  for (let i = 0; i < sums.length; i++) sums[i] /= total
  return sums
}

/** One categorical draw: index i with the probability by which `sums` (of `cumulative`) rises at i. */
export function pick(draws: Draws, sums: Float64Array): number {
  const u = draws.uniform()
  let low = 0
  let high = sums.length - 1
  while (low < high) {
    const middle = (low + high) >>> 1
    if (u < sums[middle]) high = middle
    else low = middle + 1
  }
  return low
}

/** Zipf's law: the probability of rank r = 1 … n is proportional to r^-exponent. */
export function zipf(n: number, exponent: number): Float64Array {
  const weights = Float64Array.from({ length: n }, (_, rank) => exp(-exponent * log(rank + 1)))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return weights.map((weight) => weight / total)
}

/**
 * The logarithm of a gamma draw with the given shape > 0 and scale 1; the logarithm, because a draw of a small
 * shape is often too small for a float. Marsaglia and Tsang, ACM TOMS 26 (2000) 363. Throws an InputError on any other shape.
 */
export function logGamma(draws: Draws, shape: number): number {
  const holds = shape > 0 && shape < Infinity
  demand(holds, 'logGamma: shape must be a finite number above 0', shape, 'Use 1 for an exponential draw.')
  if (shape < 1) return log(1 - draws.uniform()) / shape + logGamma(draws, shape + 1)
  const d = shape - 1 / 3
  const c = 1 / Math.sqrt(9 * d)
  for (;;) {
    const x = draws.normal()
    const w = 1 + c * x
    const v = w * w * w
    if (w > 0 && log(1 - draws.uniform()) < x * x * 0.5 + d * (1 - v + log(v))) return log(d * v)
  }
}

/** One point of the simplex, Dirichlet with the given concentrations, all > 0. */
export function dirichlet(draws: Draws, concentrations: ArrayLike<number>): Float64Array {
  const logs = Float64Array.from(concentrations, (concentration) => logGamma(draws, concentration))
  const largest = logs.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY)
  const parts = logs.map((value) => exp(value - largest))
  const total = parts.reduce((sum, part) => sum + part, 0)
  return parts.map((part) => part / total)
}

/** A draw of the standard Gumbel distribution, −ln(−ln U): the largest of logit + Gumbel is a draw from the softmax. */
export function gumbel(draws: Draws): number {
  return -log(-log((draws.uint32() + 0.5) / 4294967296)) // never 0 or 1, which have no finite logarithm here
}

/** Shuffles in place, every order with the same chance (Fisher and Yates). */
export function shuffle<A extends { length: number; [index: number]: unknown }>(draws: Draws, items: A): A {
  for (let i = items.length - 1; i > 0; i--) {
    const j = draws.below(i + 1)
    const kept = items[i]
    items[i] = items[j]
    items[j] = kept
  }
  return items
}
