import { exp, log } from '../math.js'
import type { Scoring } from './scores.js'

// Where a selection can stop looking. Scores grow with logits, so that a cut through the selection keys is a cut through the
// logits of each expert. It only has to be safe: a logit that is not above it belongs to a key below the cut.

/** Three cuts through the keys: the usual one, and those for tokens that it leaves too few or too many candidates. */
export interface Cuts {
  readonly main: number
  readonly low: number
  readonly high: number
  /** Keys above this are rare. */
  readonly top: number
}

/** 2⁻²²: four times what rounding to float32 can take off, or add, relative to the value. */
const unit = 1 / 4194304

/** No logit is below it, except the largest. */
const never = 3.4028234663852886e38

/** From the K-th best and the best keys of some tokens; undefined where they say nothing, as with masks everywhere. */
export function cutsOf(kths: Float32Array, tops: Float32Array): Cuts | undefined {
  const known = kths.filter(Number.isFinite).sort()
  if (known.length < 8) return undefined
  const at = (share: number): number => known[Math.floor(share * (known.length - 1))]
  const main = at(0.04)
  const low = Math.fround(known[0] - 0.5 * (at(0.5) - known[0]))
  const top = tops.reduce((most, key) => Math.max(most, key), main)
  return { main, low, high: at(0.7), top: Math.fround(top + (top - low)) }
}

/** Whether the usual cut leaves too few candidates to some tokens, but not to one in ten: new ones cost E logarithms each. */
export function stillFit({ main }: Cuts, kths: Float32Array): boolean {
  let below = 0
  for (let i = 0; i < kths.length; i++) if (kths[i] < main) below++ // an iterator boxes each key
  return below > 0 && below * 10 < kths.length
}

/** [E] the largest logits that are surely below the cut, one for each expert, rounded up to `out`'s length by 0. */
export function cutLogits(
  cut: number,
  bias: Float32Array,
  scoring: Scoring,
  out: Float32Array | number[],
): void {
  for (let e = 0; e < bias.length; e++) {
    const score = cut - bias[e] - unit * (Math.abs(cut) + Math.abs(bias[e]))
    out[e] = logitBelow(score - Math.abs(score) * 4 * unit, scoring)
  }
}

function logitBelow(score: number, scoring: Scoring): number {
  if (scoring !== 'sigmoid' && scoring !== 'sqrtsoftplus')
    return Math.max(-never, Math.min(score - 1e-44, never))
  if (score < 1e-30) return Number.NEGATIVE_INFINITY
  const logit = scoring === 'sigmoid' ? sigmoidBelow(score) : sqrtSoftplusBelow(score)
  return logit - 1e-6 * (Math.abs(logit) + 1)
}

function sigmoidBelow(score: number): number {
  if (score > 1) return never
  return score > 1 - 8 * unit ? 13 : log(score / (1 - score)) // sigmoid(13) = 1 − 2.3e-6
}

function sqrtSoftplusBelow(score: number): number {
  const softplus = score * score
  return softplus < 1e-5 ? log(softplus) : softplus + log(1 - exp(-softplus))
}
