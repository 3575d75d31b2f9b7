import { orNone } from '../errors.js'
import type { Logits, Loss } from './loss.js'
import { type SwitchLossOptions, switchLoss } from './switch-loss.js'

/**
 * The loss of GShard, (1/E) · Σ_e (c_e / T) · m_e, with c_e the tokens whose first choice is e, before any drop, and m_e the
 * mean softmax: `switchLoss` over E², **1/E² at balance** and 1/E when one expert gets everything. `logits` is [T, E].
 *
 * Source: Lepikhin et al., arXiv 2006.16668, algorithm 1. Throws an InputError as `auxLoss` does.
 */
export function gshardLoss<A extends Logits>(logits: A, options: Omit<SwitchLossOptions, 'topK'>): Loss<A> {
  const { numExperts, coefficient = 1 } = orNone(options)
  return switchLoss(logits, { ...options, topK: 1, coefficient: coefficient / (numExperts * numExperts) })
}
