import { exp, log } from '../math.js'
import type { Scoring } from './scores.js'

// Where a selection can stop looking. Scores grow with logits, so that a cut through the selection keys is a cut through the
// logits of each expert. It only has to be safe: a logit that is not above it belongs to a key below the cut.

/** Cuts through the keys: a token that has too few candidates above one, or too many, tries another. */
export interface Cuts {
  /** From the lowest up, at most `mostLevels`. */
  readonly keys: readonly number[]
  /** The place of the one that is tried first. */
  readonly first: number
  /** Keys above this are rare. */
  readonly top: number
}

export const mostLevels = 16

/** 2⁻²²: four times what rounding to float32 can take off, or add, relative to the value. */
const unit = 1 / 4194304

/** No logit is above it, except +∞. */
const never = 3.4028234663852886e38

/**
 * From the K-th best and the best keys of some tokens; undefined where they say nothing, as with masks everywhere. One cut
 * does for nearly all tokens whose logits are alike. Those of trained routers are not: cuts that did not do for them are
 * given as `earlier`, and evenly spaced ones over all that was seen take their place.
 */
export function cutsOf(kths: Float32Array, tops: Float32Array, earlier?: Cuts): Cuts | undefined {
  const sorted = kths.slice().sort() // −∞ comes first, +∞ and NaN last
  let [first, end] = [0, sorted.length]
  while (sorted[first] === -Infinity) first++
  while (end > first && !(sorted[end - 1] < Infinity)) end--
  const known = sorted.subarray(first, end)
  if (known.length < 8) return undefined
  const at = (share: number): number => known[Math.floor(share * (known.length - 1))]
  let keys = [Math.fround(2 * known[0] - at(0.5)), at(0.04), at(0.7)] // hardly a token is below the first
  if (earlier !== undefined) {
    const least = Math.min(known[0], earlier.keys[2])
    const step = (Math.max(at(1), ...earlier.keys) - least) / 13
    keys = Array.from({ length: mostLevels }, (_, i) => Math.fround(least + step * (i - 2)))
  }
  let top = keys[0]
  for (let i = 0; i < tops.length; i++) top = Math.max(top, tops[i])
  return { keys, first: keys.length >> 1, top: Math.fround(top + (top - keys[0])) }
}

/**
 * Whether the second cut leaves too few candidates to some tokens, but not to one in ten: new ones cost E logarithms each.
 * Evenly spaced ones may leave too few to none.
 */
export function stillFit({ keys: [, main], first }: Cuts, kths: Float32Array): boolean {
  let below = 0
  for (let i = 0; i < kths.length; i++) if (kths[i] < main) below++ // an iterator boxes each key
  return below + Number(first > 1) > 0 && below * 10 < kths.length
}

/** Writes to the first E of `out` the largest logit of each expert that is surely below the cut. */
export function cutLogits(
  cut: number,
  bias: Float32Array,
  scoring: Scoring,
  out: Float32Array | number[],
): void {
  const sigmoid = scoring === 'sigmoid'
  for (let e = 0; e < bias.length; e++) {
    const near = cut - bias[e] - unit * (Math.abs(cut) + Math.abs(bias[e]))
    const score = near - Math.abs(near) * 4 * unit
    if (!sigmoid && scoring !== 'sqrtsoftplus') {
      out[e] = Math.min(score - 1e-44, never)
      continue
    }
    const softplus = sigmoid || score < 3e-3 ? 0 : score * score // 0 where it is not needed, or its logarithm does
    // One logarithm in the loop, which V8 then puts in there: a function makes an object of each number that it gives back.
    let logit =
      softplus + log(sigmoid ? score / (1 - score) : softplus > 0 ? 1 - exp(-softplus) : score * score)
    if (score < 1e-30) logit = Number.NEGATIVE_INFINITY
    else if (sigmoid && score > 1 - 8 * unit) logit = score > 1 ? never : 13 // sigmoid(13) = 1 − 2.3e-6
    out[e] = Math.min(logit - 1e-6 * (Math.abs(logit) + 1), never) // so that +∞ is seen, and refused
  }
}
