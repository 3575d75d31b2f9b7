import type { Placement } from './protocol.js'

/**
 * [E, W] the slots of each expert's replicas in the order of `replicaRank`, W the largest number of replicas; padded by
 * −1. EPLB's log2phy.
 */
export function replicaSlots({ experts, replicaRank, replicaCount }: Placement): Int32Array {
  const width = replicaCount.reduce((most, count) => Math.max(most, count))
  const slots = new Int32Array(replicaCount.length * width).fill(-1)
  experts.forEach((e, slot) => {
    slots[e * width + replicaRank[slot]] = slot
  })
  return slots
}
