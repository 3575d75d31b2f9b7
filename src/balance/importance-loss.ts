import { type Logits, type Loss, type LossOptions, lossOf, validTokens } from './loss.js'
import { probabilitiesOf, pullBack, totalProbability } from './probabilities.js'
import { squaredVariation } from './variation.js'

/**
 * The importance loss: CV², with the variance over E − 1, of Σ_t P_t, the softmax over all experts summed over tokens.
 * **0 at balance**, E when one expert has all the probability. `logits` is [T, E].
 *
 * One half of Tutel's `load_importance_loss`. V-MoE (arXiv 2106.05974) takes the variance over E, which is (E − 1)/E
 * of this; Shazeer et al. sum the gates of the chosen experts alone: `noisyTopKLoss`. Throws an InputError as `auxLoss`
 * does.
 */
export function importanceLoss<A extends Logits>(logits: A, options: LossOptions): Loss<A> {
  const batch = validTokens('importanceLoss', logits, options)
  const p = probabilitiesOf(batch, 'softmax')
  const { value, slope } = squaredVariation(totalProbability(p))
  return lossOf(logits, options, batch, { value, gradient: pullBack(p, () => slope) })
}
