import { negative } from '../arrays.js'
import { demandNothingElse, demandWhole } from '../errors.js'
import { checkBias } from './check-bias.js'
import { type RouterConfig, resolveRouter } from './config.js'
import { expertPrices, tokenCutoffs } from './cutoffs.js'
import { logitsOf } from './logits.js'
import { openRows } from './open-rows.js'
import type { Router } from './protocol.js'
import { routingTo } from './routing-to.js'
import { maskScores, scoreLogits } from './score.js'
import { selectExperts } from './select.js'

export interface BipOptions {
  /** Sweeps over both duals a batch; 4 unless given. The paper tries 2 to 14. */
  readonly iterations?: number
}

/**
 * Routes by prices solved for on the batch itself, which is balanced from the first step: a price q ≥ 0 for each expert
 * and a cutoff p ≥ 0 for each token, the duals of
 *
 *   max Σ s·x  where  Σ_e x ≤ K,  Σ_t x ≤ T·K / E,  0 ≤ x ≤ 1,
 *
 * improved in turn `iterations` times, each exactly for the other given. Selected are the K best of score − price.
 * The bias it is handed is minus the prices to start from: `bipBalance` with the same options carries them from batch
 * to batch, as the paper does; `noBalance` starts each batch at 0. A token's experts depend on the other tokens of its
 * batch here, but not on padding, rows of −∞ logits: T counts the others. `bipBalance` with any other router has that
 * only from batch to batch.
 *
 * Source: BIP-Based Balancing, arXiv 2502.15451, algorithm 1. Throws an InputError where `route` would, but for a bias
 * with softmax 'afterTopK', whose scores are the logits.
 */
export function bipRouter(config: RouterConfig, options: BipOptions = {}): Router {
  const router = resolveRouter(config)
  const { numExperts, topK } = router
  const iterations = iterationsOf('bipRouter', options)
  return (batch, bias) => {
    const logits = logitsOf(batch, numExperts, 'bipRouter')
    checkBias('bipRouter', bias, numExperts)
    const values = scoreLogits(logits, router)
    const scores = maskScores(values, logits)
    const solved = negative(bipPrices(scores, negative(bias), topK, iterations))
    const experts = selectExperts(values, logits, router, solved)
    return routingTo(experts, values, router, scores)
  }
}

/**
 * The prices q [E] after so many sweeps from `prices`: p ← max(0, token cutoffs), then q ← max(0, prices given p). Rows
 * of −∞ do not count, and without any other the prices stay.
 */
export function bipPrices(
  scores: Float32Array,
  prices: Float32Array,
  topK: number,
  iterations: number,
): Float32Array {
  const open = openRows(scores, prices.length)
  if (open.length === 0) return prices
  let q = prices
  for (let sweep = 0; sweep < iterations; sweep++) {
    const p = tokenCutoffs(open, negative(q), topK).map(atLeast0)
    q = expertPrices(open, p, q.length, topK).map(atLeast0)
  }
  return q
}

export function iterationsOf(who: string, { iterations = 4, ...rest }: BipOptions): number {
  demandNothingElse(`${who}: the options`, rest)
  demandWhole(`${who}: iterations`, iterations, 1, 1 << 16, 'The paper uses 2 to 14.')
  return iterations
}

const atLeast0 = (value: number): number => Math.max(0, value)
