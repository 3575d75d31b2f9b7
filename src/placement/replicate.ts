import { demandWhole } from '../errors.js'
import { demandLoad } from '../metrics/demand-load.js'
import type { Placement } from './protocol.js'
import { largest } from './swaps.js'

/**
 * Fills `slots` with at least one replica of each expert: slot e gets expert e, then each spare slot another replica of
 * the expert whose replicas carry most, weight / replicas, the lowest of equals. No other counts have a smaller largest
 * share. Shares are of the precision of the weights' array.
 *
 * Source: EPLB `replicate_experts` (float32 there). Throws an InputError on fewer slots than experts, and on weights that are
 * not finite, or below 0.
 */
export function replicateExperts(weights: Float32Array | Float64Array, slots: number): Placement {
  const numExperts = weights.length
  demandWhole('replicateExperts: the number of experts', numExperts, 1, 1 << 20, 'Give the weight of each.')
  demandWhole('replicateExperts: slots', slots, numExperts, 1 << 20, 'Each expert needs one.')
  demandLoad('replicateExperts', weights)
  const experts = new Int32Array(slots)
  const replicaRank = new Int32Array(slots)
  const replicaCount = new Int32Array(numExperts).fill(1)
  const shares = weights.slice()
  for (let e = 0; e < numExperts; e++) experts[e] = e
  for (let slot = numExperts; slot < slots; slot++) {
    const e = largest(shares)
    experts[slot] = e
    replicaRank[slot] = replicaCount[e]++
    shares[e] = weights[e] / replicaCount[e]
  }
  return { experts, replicaRank, replicaCount }
}
