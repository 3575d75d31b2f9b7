import { type LoadOptions, loadFor } from './choice.js'
import { type Logits, type Loss, type LossOptions, lossOf, validTokens } from './loss.js'
import { probabilitiesOf, weighProbabilities } from './probabilities.js'

export interface SwitchLossOptions extends LossOptions, Partial<LoadOptions> {}

/**
 * The loss of Switch Transformers, E · Σ_i f_i · P̄_i, with f_i the share of tokens that have expert i among their `topK`
 * (1 unless given) and P̄ the mean softmax: **K at balance**, E when all tokens go to the same K experts.
 *
 * `logits` is [T, E]. At K = 1 it is Hugging Face's Switch, DeepSpeed's `top1gating`, and the first-choice form that
 * `top2gating` and Tutel's `gshard_loss` keep where more experts are chosen, counted before any drop; above, flaxformer's.
 * It is K times `auxLoss` with softmax.
 *
 * Source: Fedus et al., arXiv 2101.03961, eqs. 4–6. Throws an InputError as `auxLoss` does.
 */
export function switchLoss<A extends Logits>(logits: A, options: SwitchLossOptions): Loss<A> {
  const batch = validTokens('switchLoss', logits, options)
  const load = loadFor(batch, { topK: 1, ...options }, 'softmax')
  const factors = load.map((count) => (options.numExperts * count) / (batch.tokens * batch.tokens))
  const pull = weighProbabilities(probabilitiesOf(batch, 'softmax'), () => factors)
  return lossOf(logits, options, batch, pull)
}
