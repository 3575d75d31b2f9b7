import { demand, demandNothingElse, demandWhole } from '../errors.js'
import { tokenCutoffs } from '../router/cutoffs.js'
import { openRows } from '../router/open-rows.js'
import type { Balance } from './protocol.js'
import { demandSeen } from './seen.js'

export interface HistogramQuantileOptions {
  /** Bins of the histogram of each expert; 1000 unless given. */
  readonly bins?: number
}

/** The biases, float32 [E], which the selection adds. */
export interface HistogramQuantileState {
  readonly bias: Float32Array
}

/**
 * Quantile balancing as torchtitan and Kimi K3 do it, from histograms that many ranks can sum: a token's cutoff is its
 * (K + 1)-th largest score + bias, and cutoff − score is the bias at which it would just choose an expert. An expert's
 * new bias is the K / E quantile of that over all tokens since the last update, read from `bins` equal bins on
 * [min bias − 1, max bias + 1], linear within a bin, less the mean over experts. It replaces the old one. Padding, a row
 * of −∞, is no token: it moves nothing.
 *
 * **Sign: the bias is added**, to scores between 0 and 1; Megatron-LM's `quantileBalance` subtracts.
 *
 * Source: torchtitan, pull request 4577. Throws an InputError on bins that are no whole number, without scores or with
 * scores outside [0, 1], and at K = E.
 */
export function histogramQuantileBalance(
  options: HistogramQuantileOptions = {},
): Balance<HistogramQuantileState> {
  const { bins = 1000, ...rest } = options
  demandNothingElse('histogramQuantileBalance: the options', rest)
  demandWhole('histogramQuantileBalance: bins', bins, 1, 1 << 24, 'Leave it out for 1000.')
  return {
    init: (numExperts) => ({ bias: new Float32Array(numExperts) }),
    update({ bias }, _load, seen) {
      const { scores: told, topK } = demandSeen('histogramQuantileBalance', seen)
      const numExperts = bias.length
      const scores = openRows(told, numExperts)
      if (scores.length === 0) return { bias }
      demandShares(scores)
      const least = bias.reduce((a, b) => Math.min(a, b)) - 1
      const width = (bias.reduce((a, b) => Math.max(a, b)) + 1 - least) / bins
      const cutoffs = tokenCutoffs(scores, bias, topK)
      const share = (cutoffs.length * topK) / numExperts
      const histogram = new Int32Array(bins)
      const places = bias.map((_, e) => {
        histogram.fill(0)
        cutoffs.forEach((cutoff, token) => {
          const score = scores[token * numExperts + e]
          // A masked expert, score −∞, is chosen at no bias: in the last bin, whatever the cutoff.
          const needed = score < 0 ? Number.POSITIVE_INFINITY : Math.fround(cutoff - score)
          histogram[Math.max(0, Math.min(bins - 1, Math.floor((needed - least) / width)))]++
        })
        return quantile(histogram, share)
      })
      const mean = places.reduce((sum, place) => sum + place, 0) / numExperts
      return { bias: places.map((place) => (place - mean) * width) }
    },
    bias: (state) => state.bias,
  }
}

/** How many bins, and parts of one, hold `share` of the counts. */
function quantile(histogram: Int32Array, share: number): number {
  let before = 0
  let bin = 0
  while (before + histogram[bin] < share) before += histogram[bin++]
  return bin + (share - before) / histogram[bin]
}

function demandShares(scores: Float32Array): void {
  const odd = scores.find((score) => score > 1 || (score < 0 && score !== Number.NEGATIVE_INFINITY))
  demand(
    odd === undefined,
    'histogramQuantileBalance: scores must be from 0 to 1, as its bins are',
    odd,
    'Use a sigmoid or softmax router, or quantileBalance, which takes any scores.',
  )
}
