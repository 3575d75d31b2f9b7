import { shuffle } from '../distributions.js'
import type { Draws } from '../random.js'
import { placeByNode } from './by-node.js'
import { resolveCluster } from './cluster.js'
import { placementOf } from './placement-of.js'
import type { Packing, PlacementPolicy } from './protocol.js'

/**
 * Chance as a policy, and what any other must beat: groups to nodes, spare slots to experts and replicas to slots by
 * lot, each call another. The mean over many calls is the floor to quote. Refuses what `placeExperts` does.
 */
export function randomPlacement(draws: Draws): PlacementPolicy {
  return (load, cluster) => {
    const sizes = resolveCluster('randomPlacement', load, cluster)
    return placeByNode(Float64Array.from(load), sizes, homes(draws, sizes), ({ length }, slots) => {
      const experts = Int32Array.from({ length: slots }, (_, i) => (i < length ? i : draws.below(length)))
      return placementOf(shuffle(draws, experts), length)
    })
  }
}

function homes(draws: Draws, { groups, nodes }: { groups: number; nodes: number }): Packing {
  const places = shuffle(
    draws,
    Int32Array.from({ length: groups }, (_, i) => i),
  )
  const size = groups / nodes
  return {
    pack: places.map((place) => Math.floor(place / size)),
    position: places.map((place) => place % size),
  }
}
