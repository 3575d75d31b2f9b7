import { demand } from '../errors.js'
import type { AuxLoss, AuxLossOptions } from './aux-loss.js'
import { loadFor, relativeLoad } from './choice.js'
import { type Logits, lossOf, validTokens } from './loss.js'
import { probabilitiesOf, totalProbability, weighProbabilities } from './probabilities.js'

export interface GlobalAuxLoss<A extends Logits> extends AuxLoss<A> {
  /** [E], the counts of this micro-batch and all before it in the same step: hand it to the next one. */
  readonly total: Float64Array
}

/**
 * The load-balancing loss of a batch that comes in micro-batches: `auxLoss` with the probabilities of this micro-batch and
 * the counts of all so far. `before` [E] is the `total` of the micro-batch before; the first one of an optimizer step has
 * none. **1 at balance.**
 *
 * The first micro-batch sees its own counts and the last sees all, so they are not treated alike. Counts are divided by
 * their own sum: with micro-batches of one size that is Megatron-LM's `global_aux_loss`, which divides their running mean by
 * the tokens of the current micro-batch and so moves with its padding (Megatron-LM issue 7213).
 *
 * Source: Qiu et al., arXiv 2501.11873. Throws an InputError as `auxLoss` does.
 */
export function globalAuxLoss<A extends Logits>(
  logits: A,
  options: AuxLossOptions,
  before?: Float64Array,
): GlobalAuxLoss<A> {
  const batch = validTokens('globalAuxLoss', logits, options)
  const earlier = before ?? new Float64Array(batch.numExperts)
  demand(
    earlier.length === batch.numExperts,
    `globalAuxLoss: before must hold numExperts = ${batch.numExperts} counts`,
    earlier,
    'Hand in the total of the micro-batch before, or nothing at the first.',
  )
  const p = probabilitiesOf(batch, options.scoreFunction)
  const load = loadFor(batch, options, options.scoreFunction)
  const total = load.map((count, e) => count + earlier[e])
  const factors = relativeLoad(total).map((multiple) => multiple / batch.tokens)
  const pull = weighProbabilities(p, () => factors)
  const meanProbability = totalProbability(p).map((sum) => sum / Math.max(1, batch.tokens))
  return { ...lossOf(logits, options, batch, pull), load, meanProbability, total }
}
