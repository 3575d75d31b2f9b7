import { demand } from '../errors.js'
import type { Placement } from '../placement/protocol.js'
import { replicaSlots } from '../placement/replica-slots.js'
import type { Routing } from '../router/routing.js'

/**
 * The same routing over the P slots of a placement instead of the E experts: the copies of an expert take its tokens in
 * turn. With `contiguousRanks(P, ranks)` for `expertRank` it has the traffic and the time of that placement.
 *
 * Left out: engines that choose the copy nearest to a token, which saves traffic and may unbalance the copies. Throws an
 * InputError on a placement of other experts.
 */
export function overReplicas(routing: Routing, placement: Placement): Routing {
  const { replicaCount } = placement
  const { numExperts } = routing
  const rule = `overReplicas: the placement must be of the ${numExperts} experts of the routing`
  demand(replicaCount.length === numExperts, rule, replicaCount.length, 'Place the load of this routing.')
  const slots = replicaSlots(placement)
  const width = slots.length / numExperts
  const taken = new Int32Array(numExperts)
  const { scores: _, ...rest } = routing
  const experts = routing.experts.map((expert) =>
    expert < 0 ? expert : slots[expert * width + (taken[expert]++ % replicaCount[expert])],
  )
  return { ...rest, numExperts: placement.experts.length, experts }
}
