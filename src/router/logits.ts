import { demand } from '../errors.js'
import type { Batch } from './protocol.js'

/**
 * The logits [T, E] of a batch, for a router that needs them. `who` is the router that asks, as its errors are headed.
 * Throws an InputError where there are none or they do not fit.
 */
export function logitsOf({ logits, tokens }: Batch, numExperts: number, who: string): Float32Array {
  demand(
    logits !== undefined,
    `${who}: the batch must have logits`,
    logits,
    'Use a workload that gives them, or linearRouter for hidden states.',
  )
  demand(
    logits.length === tokens * numExperts,
    `${who}: logits must hold ${tokens} tokens × ${numExperts} experts`,
    logits,
    'Make the workload, the router and numExperts agree.',
  )
  return logits
}

/**
 * The logits [T, E] with every row of padding at −∞: no router here chooses an expert for such a token, and none of its
 * slots is filled. `valid` is [T], 0 for padding. Throws an InputError if logits are no whole rows.
 */
export function maskPadding(logits: Float32Array, valid: ArrayLike<number>): Float32Array {
  const width = logits.length / valid.length
  demand(
    logits.length === 0 || Number.isInteger(width),
    `maskPadding: logits must hold a row for each of ${valid.length} tokens`,
    logits,
    'Lay them out as [T, E], and give one flag a token.',
  )
  return logits.map((logit, i) => (valid[Math.floor(i / width)] ? logit : Number.NEGATIVE_INFINITY))
}
