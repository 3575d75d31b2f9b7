import { log } from '../math.js'
import { type Logits, type Loss, type LossOptions, lossOf, validTokens } from './loss.js'
import { probabilitiesOf, pullBack } from './probabilities.js'

/**
 * The mean over tokens of the entropy −Σ_e P_e ln P_e of the softmax: ln E when a token cannot tell experts apart, 0 when it
 * is sure. Top-p routing adds it so that tokens need few experts; it does not balance them. `logits` is [T, E].
 *
 * Source: Huang et al., arXiv 2403.07652. Throws an InputError as `auxLoss` does.
 */
export function entropyLoss<A extends Logits>(logits: A, options: LossOptions): Loss<A> {
  const batch = validTokens('entropyLoss', logits, options)
  const { numExperts } = options
  const p = probabilitiesOf(batch, 'softmax')
  const logs = p.values.map((value) => log(Math.max(value, Number.MIN_VALUE))) // where P is 0, P ln P is 0
  let value = 0
  p.values.forEach((probability, i) => {
    value -= (probability * logs[i]) / batch.tokens
  })
  // −(ln P + 1) by the definition; the 1 is the same for all experts, and P sums to 1, so that it pulls at nothing.
  const gradient = pullBack(p, (token) => {
    return logs.subarray(token * numExperts, (token + 1) * numExperts).map((ln) => -ln / batch.tokens)
  })
  return lossOf(logits, options, batch, { value, gradient })
}
