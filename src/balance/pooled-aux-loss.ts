import { concatenate } from '../arrays.js'
import { demand } from '../errors.js'
import { type ChoiceOptions, chosenExperts, countExperts } from './choice.js'
import { type Logits, type LossOptions, lossOf, validTokens } from './loss.js'
import { probabilitiesOf, weighProbabilities } from './probabilities.js'

export interface PooledAuxLossOptions extends LossOptions, Omit<ChoiceOptions, 'experts'> {}

export interface PooledAuxLoss<A extends Logits> {
  readonly value: number
  /** One [T, E] a layer. */
  readonly gradients: A[]
  /** [E], counted over all layers. */
  readonly load: Float64Array
}

/**
 * Hugging Face's `load_balancing_loss_func`, of Mixtral, Qwen, OLMoE, gpt-oss and others: counts, softmax probabilities and
 * tokens are pooled over layers, then E · Σ_i (n_i / rows) · P̄_i. It is **K at balance**, not 1, for it does not divide by
 * K, and softmax even where the model's router is a sigmoid. Pooling lets the imbalance of one layer cancel another's.
 *
 * `layers` holds the logits of each, [T, E], all of the same tokens; `valid` is the attention mask. Of one layer it is
 * K times `auxLoss` with softmax. Throws an InputError as `auxLoss` does, and without layers.
 */
export function pooledAuxLoss<A extends Logits>(
  layers: readonly A[],
  options: PooledAuxLossOptions,
): PooledAuxLoss<A> {
  demand(layers.length > 0, 'pooledAuxLoss: there must be a layer', layers, 'Give the logits of each layer.')
  const batches = layers.map((logits) => validTokens('pooledAuxLoss', logits, options))
  const { numExperts } = options
  const rows = batches.reduce((sum, { tokens }) => sum + tokens, 0)
  const load = countExperts(
    concatenate(batches.map((batch) => chosenExperts(batch, options, 'softmax'))),
    numExperts,
  )
  const factors = load.map((count) => (numExperts * count) / (rows * rows))
  const losses = batches.map((batch, l) => {
    const pull = weighProbabilities(probabilitiesOf(batch, 'softmax'), () => factors)
    return lossOf(layers[l], options, batch, pull)
  })
  return {
    value: losses.reduce((sum, { value }) => sum + value, 0),
    gradients: losses.map(({ gradient }) => gradient),
    load,
  }
}
