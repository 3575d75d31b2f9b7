import { balancedPacking } from './balanced-packing.js'
import { groupWeights, placeByNode } from './by-node.js'
import { resolveCluster } from './cluster.js'
import type { Cluster, Placement } from './protocol.js'
import { replicateExperts } from './replicate.js'

/**
 * EPLB, the expert-parallel load balancer of DeepSeek-V3: groups of experts to nodes of about equal load, spare slots of
 * a node to the experts that carry most, then the node's replicas to ranks of about equal load. With one node (and where
 * nodes do not divide groups) all experts compete for all slots: EPLB's global policy.
 *
 * `load` is [E], counted over any number of steps, and used as float32. Source: deepseek-ai/EPLB, `rebalance_experts`;
 * number for number, but that of two replicas with equal load the first stands first (see `balancedPacking`), and a
 * group's load is summed in float64. Throws an InputError on loads that are negative or not finite, and on a cluster
 * whose sizes do not divide each other.
 */
export function placeExperts(load: ArrayLike<number>, cluster: Cluster): Placement {
  const sizes = resolveCluster('placeExperts', load, cluster)
  const weights = Float32Array.from(load)
  const homes = balancedPacking(groupWeights(weights, sizes.groups), sizes.nodes)
  return placeByNode(weights, sizes, homes, packReplicas)
}

/** One node's slots by EPLB: `replicateExperts`, then `balancedPacking` of the replicas into ranks. */
export function packReplicas<A extends Float32Array | Float64Array>(
  weights: A,
  slots: number,
  ranks: number,
): Placement {
  const replicas = replicateExperts(weights, slots)
  const { pack, position } = balancedPacking(sharesOf(weights, replicas), ranks)
  const experts = new Int32Array(slots)
  const replicaRank = new Int32Array(slots)
  for (let i = 0; i < slots; i++) {
    const slot = (pack[i] * slots) / ranks + position[i]
    experts[slot] = replicas.experts[i]
    replicaRank[slot] = replicas.replicaRank[i]
  }
  return { experts, replicaRank, replicaCount: replicas.replicaCount }
}

/** [P] what the replica in each slot carries, if the replicas of an expert share its load equally. */
function sharesOf<A extends Float32Array | Float64Array>(
  weights: A,
  { experts, replicaCount }: Placement,
): A {
  const shares = new (weights.constructor as new (length: number) => A)(experts.length)
  experts.forEach((e, slot) => {
    shares[slot] = weights[e] / replicaCount[e]
  })
  return shares
}
