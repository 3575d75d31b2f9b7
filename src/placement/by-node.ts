import type { ResolvedCluster } from './cluster.js'
import type { Packing, Placement } from './protocol.js'

/** Fills the slots of one node, whose experts have these weights; experts are numbered from 0 in the node. */
export type PlaceNode<A> = (weights: A, slots: number, ranks: number) => Placement

/**
 * Places group by group into nodes as `homes` says, then each node on its own. A node's experts stand in the order of
 * its groups' positions.
 */
export function placeByNode<A extends Float32Array | Float64Array>(
  weights: A,
  { replicas, ranks, nodes }: ResolvedCluster,
  homes: Packing,
  placeNode: PlaceNode<A>,
): Placement {
  const order = expertsByNode(homes, weights.length, nodes)
  const slots = replicas / nodes
  const width = weights.length / nodes
  const experts = new Int32Array(replicas)
  const replicaRank = new Int32Array(replicas)
  const replicaCount = new Int32Array(weights.length)
  for (let node = 0; node < nodes; node++) {
    const own = order.subarray(node * width, (node + 1) * width)
    const ownWeights = weights.slice(0, width).map((_, i) => weights[own[i]]) as A
    const placed = placeNode(ownWeights, slots, ranks / nodes)
    placed.experts.forEach((e, slot) => {
      experts[node * slots + slot] = own[e]
    })
    replicaRank.set(placed.replicaRank, node * slots)
    placed.replicaCount.forEach((count, e) => {
      replicaCount[own[e]] = count
    })
  }
  return { experts, replicaRank, replicaCount }
}

/** [E] the experts of the first node, then those of the next. */
function expertsByNode({ pack, position }: Packing, numExperts: number, nodes: number): Int32Array {
  const size = numExperts / pack.length
  const groupsPerNode = pack.length / nodes
  const order = new Int32Array(numExperts)
  for (let e = 0; e < numExperts; e++) {
    const group = Math.floor(e / size)
    order[(pack[group] * groupsPerNode + position[group]) * size + (e % size)] = e
  }
  return order
}

/** [G] the weights of contiguous groups: sums in float64, kept in the precision of the weights' array. */
export function groupWeights<A extends Float32Array | Float64Array>(weights: A, groups: number): A {
  const size = weights.length / groups
  return weights.slice(0, groups).map((_, group) => {
    let sum = 0
    for (let i = 0; i < size; i++) sum += weights[group * size + i]
    return sum
  }) as A
}
