import { resolveCluster } from './cluster.js'
import type { Cluster } from './protocol.js'
import { replicateExperts } from './replicate.js'

/**
 * What no placement gets below: the straggler factor is 1 at least, and some rank holds a replica of the expert whose
 * replicas carry most, however the spare slots are given away; without spare slots, with the lightest experts for company
 * at best. It looks at the cluster as if it were one node; on one whose ranks have one slot each, EPLB reaches it. Throws
 * an InputError as `placeExperts` does.
 */
export function stragglerBound(load: ArrayLike<number>, cluster: Cluster): number {
  const { replicas, ranks } = resolveCluster('stragglerBound', load, cluster)
  const weights = Float64Array.from(load)
  const mean = weights.reduce((sum, weight) => sum + weight, 0) / ranks
  return mean === 0 ? 1 : leastPeak(weights, replicas, ranks) / mean
}

/** The same as a load. */
export function leastPeak(weights: Float64Array, slots: number, ranks: number): number {
  const { replicaCount } = replicateExperts(weights, slots)
  const share = weights.reduce((most, weight, e) => Math.max(most, weight / replicaCount[e]), 0)
  const company = slots > weights.length ? 0 : slots / ranks - 1
  const lightest = weights.slice().sort().subarray(0, company)
  const mean = weights.reduce((sum, weight) => sum + weight, 0) / ranks
  return Math.max(
    lightest.reduce((sum, weight) => sum + weight, share),
    mean,
  )
}
