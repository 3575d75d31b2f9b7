import { exp } from '../math.js'
import { type Logits, type Loss, type LossOptions, lossOf, validTokens } from './loss.js'
import { logSumExp } from './probabilities.js'

export interface ZLoss<A extends Logits> extends Loss<A> {
  /** [T], ln Σ eᶻ of each token; 0 at padding. */
  readonly logSumExp: Float64Array
}

/**
 * The z-loss, the mean over tokens of (ln Σ_e eᶻ)²: it keeps logits small and balances nothing. (ln E)² at zero logits.
 * `logits` is [T, E]. Megatron-LM's `z_loss_func`, megablocks, flaxformer; JetMoE's with a coefficient of 0.1.
 *
 * Source: Zoph et al., arXiv 2202.08906, eq. 5. Throws an InputError as `auxLoss` does.
 */
export function zLoss<A extends Logits>(logits: A, options: LossOptions): ZLoss<A> {
  const batch = validTokens('zLoss', logits, options)
  const { numExperts } = options
  const gradient = new Float64Array(batch.logits.length)
  const sums = new Float64Array(batch.allTokens)
  let value = 0
  batch.rows.forEach((token, row) => {
    const start = row * numExperts
    const z = logSumExp(batch.logits.subarray(start, start + numExperts))
    sums[token] = z
    value += (z * z) / batch.tokens
    for (let i = start; i < start + numExperts; i++) {
      gradient[i] = (2 * z * exp(batch.logits[i] - z)) / batch.tokens
    }
  })
  return { ...lossOf(logits, options, batch, { value, gradient }), logSumExp: sums }
}
