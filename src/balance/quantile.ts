import { negative } from '../arrays.js'
import { demand, demandNothingElse } from '../errors.js'
import { expertPrices, tokenCutoffs } from '../router/cutoffs.js'
import { openRows } from '../router/open-rows.js'
import { center } from './center.js'
import type { Balance } from './protocol.js'
import { demandSeen } from './seen.js'

export interface QuantileOptions {
  /** The share of the old β in the new one; 0, none, unless given. */
  readonly ema?: number
}

/** β, float32 [E], which the selection subtracts. */
export interface QuantileState {
  readonly beta: Float32Array
}

/**
 * Quantile balancing as Megatron-LM does it, without a rate: selected are the K best of score − β, with the scores as
 * the router tells them, and after each step β is set to what would have balanced it.
 *
 * Given a token's cutoff α, its (K + 1)-th largest score − β, an expert's price in a micro-batch is the
 * (⌊T·K / E⌋ + 1)-th largest score − α over its tokens; β ← ema · β + (1 − ema) · mean price over micro-batches, less
 * the mean over experts. In float32 throughout. T counts tokens that may go somewhere: padding, a row of −∞, moves
 * nothing, and neither do micro-batches of nothing else.
 *
 * **Sign: β is subtracted**, so `bias` gives −β, to a router that adds it as all routers here do. Megatron-LM selects on
 * logits: pass `biasedLogitRouter`; with a router config the same happens to its scores. Megatron-LM refuses T·K that E
 * does not divide; the floor taken here is the same optimum of the dual.
 *
 * Source: Megatron-LM `TopKRouter.quantile_balancing`, `qb_dual_update`, `_update_router_qb_beta`. Throws an InputError
 * on an ema outside [0, 1), without scores, at K = E, and where masks leave an expert too few or too willing tokens.
 */
export function quantileBalance(options: QuantileOptions = {}): Balance<QuantileState> {
  const { ema = 0, ...rest } = options
  demandNothingElse('quantileBalance: the options', rest)
  demand(ema >= 0 && ema < 1, 'quantileBalance: ema must be in [0, 1)', ema, 'Use 0 for no memory.')
  const kept = Math.fround(ema)
  const taken = Math.fround(1 - ema)
  return {
    init: (numExperts) => ({ beta: new Float32Array(numExperts) }),
    update({ beta }, _load, seen) {
      const { routing, scores, topK, microBatches = [routing.tokens] } = demandSeen('quantileBalance', seen)
      const sum = new Float32Array(beta.length)
      let from = 0
      let counted = 0
      for (const tokens of microBatches) {
        const own = openRows(scores.subarray(from * beta.length, (from + tokens) * beta.length), beta.length)
        from += tokens
        if (own.length === 0) continue
        counted++
        const cutoffs = tokenCutoffs(own, negative(beta), topK)
        expertPrices(own, cutoffs, beta.length, topK).forEach((price, e) => {
          demandPrice(price, e)
          sum[e] += price
        })
      }
      if (counted === 0) return { beta }
      const next = beta.map((old, e) => {
        const mean = Math.fround(sum[e] / counted)
        return Math.fround(kept * old) + Math.fround(taken * mean)
      })
      center(next)
      return { beta: next }
    },
    bias: ({ beta }) => negative(beta),
  }
}

function demandPrice(price: number, expert: number): void {
  demand(
    Number.isFinite(price),
    `quantileBalance: more than T·K / E tokens must be free to choose expert ${expert} or to leave it`,
    `a quantile of ${price}`,
    'Mask fewer experts with −∞, or balance over more tokens.',
  )
}
