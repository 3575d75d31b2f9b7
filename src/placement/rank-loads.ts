import { demand, demandWhole } from '../errors.js'
import { demandLoad } from '../metrics/demand-load.js'
import { maxOverMean } from '../metrics/load.js'
import type { Placement } from './protocol.js'

/**
 * [R] the load of each rank, if the replicas of an expert share its load [E] equally. That is a mean: which replica
 * takes a token is the serving engine's choice. With the number of nodes for `ranks`, the load of each node. Throws an
 * InputError on a load of other experts, not finite or below 0, and on ranks that do not divide the slots.
 */
export function rankLoads(load: ArrayLike<number>, placement: Placement, ranks: number): Float64Array {
  const { experts, replicaCount } = placement
  demand(
    load.length === replicaCount.length,
    `rankLoads: load must hold ${replicaCount.length} values, one an expert of the placement`,
    load,
    'Measure the layer that was placed.',
  )
  demandLoad('rankLoads', load)
  demandWhole('rankLoads: ranks', ranks, 1, experts.length, 'Each rank has a slot.')
  demand(
    experts.length % ranks === 0,
    `rankLoads: ranks must divide the ${experts.length} slots`,
    ranks,
    'Ranks hold equally many.',
  )
  const slots = experts.length / ranks
  const loads = new Float64Array(ranks)
  experts.forEach((e, slot) => {
    loads[Math.floor(slot / slots)] += load[e] / replicaCount[e]
  })
  return loads
}

/**
 * Load of the busiest rank / mean: how many times as long as in balance all ranks take, if time goes with tokens. A
 * lower bound on the loss, for experts with few tokens cost more than their share. 1 of no load.
 */
export function stragglerFactor(load: ArrayLike<number>, placement: Placement, ranks: number): number {
  return maxOverMean(rankLoads(load, placement, ranks))
}
