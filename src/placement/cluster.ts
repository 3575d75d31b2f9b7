import { demand, demandNothingElse, demandWhole } from '../errors.js'
import type { Cluster } from './protocol.js'

// What a policy tries grows with slots times ranks: so many are placed in seconds, and no published model has as many.
const most = 1 << 16

/** A cluster with all its sizes, which fit each other and the E experts of the load. */
export type ResolvedCluster = Required<Cluster>

/**
 * Checks a load [E] and a cluster. Where nodes do not divide groups, both become 1: no expert is tied to a node then, as
 * in EPLB. `name` is of the function that asks.
 */
export function resolveCluster(name: string, load: ArrayLike<number>, cluster: Cluster): ResolvedCluster {
  const { replicas, ranks, nodes = 1, groups = 1, ...rest } = cluster
  demandNothingElse(`${name}: the cluster`, rest)
  const numExperts = load.length
  demandWhole(`${name}: the number of experts`, numExperts, 1, most, 'Give the load of each expert.')
  let total = 0
  for (let e = 0; e < numExperts; e++) {
    demand(load[e] >= 0, `${name}: every load must be at least 0`, load[e], `Check that of expert ${e}.`)
    total += load[e]
  }
  demand(Number.isFinite(Math.fround(total)), `${name}: the sum must fit float32`, total, 'Scale the loads.')
  demandWhole(`${name}: replicas`, replicas, numExperts, most, 'Each expert needs a slot.')
  demandWhole(`${name}: ranks`, ranks, 1, replicas, 'Each rank needs an expert.')
  demandWhole(`${name}: nodes`, nodes, 1, most, 'Use 1 if all ranks are near each other.')
  demandWhole(`${name}: groups`, groups, 1, most, 'Use 1 if experts have no groups.')
  const equally = 'Ranks hold equally many.'
  demand(replicas % ranks === 0, `${name}: ranks must divide replicas = ${replicas}`, ranks, equally)
  if (groups % nodes !== 0) return { replicas, ranks, nodes: 1, groups: 1 }
  demand(
    numExperts % groups === 0,
    `${name}: groups must divide the ${numExperts} experts`,
    groups,
    'Groups are of one size.',
  )
  demand(ranks % nodes === 0, `${name}: nodes must divide ranks = ${ranks}`, nodes, 'Nodes are of one size.')
  return { replicas, ranks, nodes, groups }
}
