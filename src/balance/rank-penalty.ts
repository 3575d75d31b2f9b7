import { demand, demandNothingElse, demandWhole, orNone } from '../errors.js'
import { mean } from '../stats.js'
import type { Balance } from './protocol.js'

export interface RankPenaltyOptions {
  /** R, expert-parallel ranks: contiguous, E / R experts each. */
  readonly ranks: number
  /** The share of the newest load in the moving average; 0.1 unless given. */
  readonly alpha?: number
  /** The penalty of a rank with twice its fair load; 2 unless given. */
  readonly lambda?: number
}

/** A moving average of each rank's load, float32 [R], and E. */
export interface RankPenaltyState {
  readonly rankLoad: Float32Array
  readonly numExperts: number
}

/**
 * Inference-time balancing of devices: all experts of a rank with more than its fair share of the averaged load get the
 * bias −lambda · (load / fair share − 1); other ranks get none. Made for logits: use it with `biasedLogitRouter`.
 *
 * Source: vLLM `adjust_logits_ema`. The average starts at 0 and the fair share counts as at least 1. Throws an
 * InputError on ranks that do not divide the experts, an alpha outside (0, 1] and a lambda that is not finite.
 */
export function rankPenaltyBalance(options: RankPenaltyOptions): Balance<RankPenaltyState> {
  const { ranks, alpha = 0.1, lambda = 2, ...rest } = orNone(options)
  demandNothingElse('rankPenaltyBalance: the options', rest)
  demandWhole(
    'rankPenaltyBalance: ranks',
    ranks,
    1,
    1 << 20,
    'It is the number of devices that share the experts.',
  )
  demand(alpha > 0 && alpha <= 1, 'rankPenaltyBalance: alpha must be in (0, 1]', alpha, 'Use 0.1.')
  demand(Number.isFinite(lambda), 'rankPenaltyBalance: lambda must be a finite number', lambda, 'Use 2.')
  return {
    init(numExperts) {
      demand(
        numExperts % ranks === 0,
        `rankPenaltyBalance: ranks must divide numExperts = ${numExperts}`,
        ranks,
        'Ranks hold equally many experts.',
      )
      return { rankLoad: new Float32Array(ranks), numExperts }
    },
    update({ rankLoad, numExperts }, load) {
      const counts = new Float64Array(ranks)
      load.forEach((count, e) => {
        counts[Math.floor((e * ranks) / numExperts)] += count
      })
      const kept = Math.fround(1 - alpha)
      const taken = Math.fround(alpha)
      const next = rankLoad.map((old, rank) => Math.fround(old * kept) + Math.fround(counts[rank] * taken))
      return { rankLoad: next, numExperts }
    },
    bias({ rankLoad, numExperts }) {
      const fair = Math.max(1, Math.fround(mean(rankLoad)))
      const excess = rankLoad.map((load) => Math.max(0, Math.fround(load / fair) - 1))
      return Float32Array.from(
        { length: numExperts },
        (_, e) => 0 - lambda * excess[Math.floor((e * ranks) / numExperts)],
      )
    },
    loadOnly: true,
  }
}
