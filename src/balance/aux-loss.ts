import type { RouterConfig } from '../router/config.js'
import { type LoadOptions, loadFor, relativeLoad } from './choice.js'
import { type Logits, type Loss, type LossOptions, lossOf, validTokens } from './loss.js'
import { probabilitiesOf, totalProbability, weighProbabilities } from './probabilities.js'

export interface AuxLossOptions extends LossOptions, LoadOptions {
  /** P is its score divided by the sum over all E experts. */
  readonly scoreFunction: RouterConfig['scoreFunction']
}

/** A loss with the two things that it multiplies. */
export interface AuxLoss<A extends Logits> extends Loss<A> {
  /** n [E], the tokens counted for each expert. */
  readonly load: Float64Array
  /** P̄ [E], over the valid tokens. */
  readonly meanProbability: Float64Array
}

/**
 * The load-balancing loss of one micro-batch, E · Σ_i n_i / Σn · P̄_i: **1 at balance**, E/K when K experts get everything.
 * Uniform P̄ gives 1 whatever the counts, so that scaling all logits down lowers the loss and balances nothing.
 *
 * `logits` is [T, E]. Where Σn = K · T it is Megatron-LM's E / (K T²) · Σ_i (Σ_t P_ti) n_i (`switch_load_balancing_loss_func`)
 * and DeepSeek-V2's expert-level loss (arXiv 2405.04434 §2.2.3). The same number has other names: OLMo-core at granularity
 * `local_batch`, Automodel, DeepSpeed `topkgating`; its mean over layers is megablocks' `batched_load_balancing_loss`; with
 * a `zLoss` of coefficient 0.1 added, JetMoE's. Megatron-LM's per-token mode multiplies the coefficient by the number of
 * valid tokens, and a repeated MTP layer divides it by the repeats.
 *
 * Throws an InputError on options or lengths that do not fit, and on NaN or +∞ among the logits.
 */
export function auxLoss<A extends Logits>(logits: A, options: AuxLossOptions): AuxLoss<A> {
  const batch = validTokens('auxLoss', logits, options)
  const p = probabilitiesOf(batch, options.scoreFunction)
  const load = loadFor(batch, options, options.scoreFunction)
  const factors = relativeLoad(load).map((multiple) => multiple / batch.tokens)
  const pull = weighProbabilities(p, () => factors)
  const meanProbability = totalProbability(p).map((total) => total / Math.max(1, batch.tokens))
  return { ...lossOf(logits, options, batch, pull), load, meanProbability }
}
