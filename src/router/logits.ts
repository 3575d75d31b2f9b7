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
    'Make them of hidden states with routerLogits, or use a workload that gives them.',
  )
  demand(
    logits.length === tokens * numExperts,
    `${who}: logits must hold ${tokens} tokens × ${numExperts} experts`,
    logits,
    'Make the workload and the router agree on numExperts.',
  )
  return logits
}
