import { negative } from '../arrays.js'
import { type BipOptions, bipPrices, iterationsOf } from '../router/bip.js'
import type { Balance } from './protocol.js'
import { demandSeen } from './seen.js'

/** q, float32 [E], the price of a place at each expert, which the selection subtracts. */
export interface BipState {
  readonly prices: Float32Array
}

/**
 * Balancing by the prices of an assignment problem: what a place at each expert would have cost in the batch just
 * routed, so that none got more than T·K / E tokens. There is no rate. `bipRouter` says how they are solved for.
 *
 * With `bipRouter` it is BIP-Based Balancing as published: the router goes on from these prices on its own batch and is
 * balanced from the first step. With any other router that tells its scores, prices come one batch late, and no token
 * depends on others of its batch.
 *
 * Prices and cutoffs are kept at 0 and above, as the inequalities of the problem ask. Carried from batch to batch, the
 * prices creep up together, which changes no selection until cutoffs are cut off at 0; from there on the balance is
 * lost. `noBalance` with `bipRouter` starts each batch afresh and keeps it; `quantileBalance` has no such bounds
 * (J. Su, kexue.fm/archives/11619, found the same cut slow).
 *
 * Padding, a row of −∞ scores, is no token, and a batch of nothing else leaves the prices as they are.
 * Source: arXiv 2502.15451, algorithm 1. **Sign: q is subtracted**, so `bias` gives −q. Throws an InputError on
 * iterations that are no whole number, without scores, and at K = E.
 */
export function bipBalance(options: BipOptions = {}): Balance<BipState> {
  const iterations = iterationsOf('bipBalance', options)
  return {
    init: (numExperts) => ({ prices: new Float32Array(numExperts) }),
    update({ prices }, _load, seen) {
      const { scores, topK } = demandSeen('bipBalance', seen)
      return { prices: bipPrices(scores, prices, topK, iterations) }
    },
    bias: ({ prices }) => negative(prices),
  }
}
