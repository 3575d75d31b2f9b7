import { demand, demandNothingElse, demandWhole, orNone } from '../errors.js'
import { sum } from '../stats.js'
import type { BiasState } from './bias.js'
import type { Balance, Schedule } from './protocol.js'
import { demandRate, rateAt } from './rate.js'

export interface LongcatBalanceOptions {
  /** μ, the size of an update, in bias per share of all assignments. A schedule gets the updates so far. */
  readonly rate: number | Schedule
  /** N, the experts that compute: those before the zero-computation experts. */
  readonly numReal: number
  /** K, the experts a token chooses. */
  readonly topK: number
  /** K_e, how many of them should be real on average; 8 of 12 in LongCat-Flash. */
  readonly realPerToken: number
}

/**
 * LongCat's controller, which balances the real experts and holds how many of them a token uses on average:
 * b_i ← b_i + μ · (K_e / K / N − load_i / Σ load) for the N real experts. The biases of the zero-computation experts
 * stay 0, so a real expert's bias is its advantage over them. Float32, as `biasBalance`.
 *
 * Source: LongCat-Flash, arXiv 2509.01322, as two secondary pages give it, with T_i / (K · T_all) for the share of
 * assignments: with a capacity, of those not dropped. Throws an InputError on options that contradict one another.
 */
export function longcatBalance(options: LongcatBalanceOptions): Balance<BiasState> {
  const { rate, numReal, topK, realPerToken, ...rest } = orNone(options)
  demandNothingElse('longcatBalance: the options', rest)
  demandRate('longcatBalance', rate)
  demandWhole('longcatBalance: numReal', numReal, 1, 1 << 20, 'It is the number of experts that compute.')
  demandWhole('longcatBalance: topK', topK, 1, 1 << 20, 'It is the number of experts a token chooses.')
  demand(
    realPerToken > 0 && realPerToken <= topK,
    `longcatBalance: realPerToken must be above 0 and at most topK = ${topK}`,
    realPerToken,
    'It is a mean, such as 8 of 12.',
  )
  const target = realPerToken / topK / numReal
  return {
    init(numExperts) {
      demand(
        numReal <= numExperts,
        `longcatBalance: numReal must be at most the router's numExperts = ${numExperts}`,
        numReal,
        'The router counts the zero-computation experts too.',
      )
      return { bias: new Float32Array(numExperts), updates: 0 }
    },
    update({ bias, updates }, load) {
      const size = rateAt(rate, updates)
      const total = sum(load)
      const moved = bias.map((value, e) =>
        e < numReal && total > 0 ? value + Math.fround(size * (target - load[e] / total)) : value,
      )
      return { bias: moved, updates: updates + 1 }
    },
    bias: (state) => state.bias,
    loadOnly: true,
  }
}
