import { demand, demandNothingElse, demandWhole } from '../errors.js'
import type { Routing } from '../router/routing.js'
import { refuseFillers } from './pad.js'

export interface CapacityOptions {
  /** C, the assignments that an expert takes: a whole number, or Infinity. See the rules, such as `megatronCapacity`. */
  readonly capacity: number
  /** The filled slots, t · K + k, in the order in which they are served: see `probabilityOrder` and the other orders. */
  readonly order: Int32Array
  /** Contiguous experts share a capacity, as many as a rank holds, where this is below numExperts. */
  readonly ranks?: number
}

/**
 * Serves assignments in order until their experts are full, and refuses the rest: their slots become −1 with weight 0.
 *
 * The others keep their place, so that slot k still is a token's k-th choice, and their weights: Megatron-LM, Tutel and
 * flaxformer do not make up for what was dropped; `renormalize` does. `dropped` counts assignments; tokens that are left
 * without any expert are another number, `unroutedTokens`. Throws an InputError on a capacity that is no count, ranks that
 * do not divide the experts, an order that does not name every filled slot once, and a routing padded before.
 */
export function applyCapacity(routing: Routing, options: CapacityOptions): Routing {
  const { numExperts } = routing
  const { capacity, order, ranks = numExperts, ...rest } = options
  demandNothingElse('applyCapacity: the options', rest)
  demand(
    capacity === Infinity || (Number.isSafeInteger(capacity) && capacity >= 0),
    'applyCapacity: capacity must be a whole number of at least 0, or Infinity',
    capacity,
    'Round it by one of the rules, such as megatronCapacity.',
  )
  demandWhole('applyCapacity: ranks', ranks, 1, numExperts, 'Leave it out for a capacity of each expert.')
  demand(
    numExperts % ranks === 0,
    `applyCapacity: ranks must divide numExperts = ${numExperts}`,
    ranks,
    'Each rank holds as many experts.',
  )
  refuseFillers('applyCapacity', routing)
  checkOrder(routing, order)
  const expertsPerRank = numExperts / ranks
  const experts = new Int32Array(routing.experts.length).fill(-1)
  const weights = new Float32Array(routing.weights.length)
  const taken = new Int32Array(ranks)
  let { dropped } = routing
  for (const slot of order) {
    const rank = Math.floor(routing.experts[slot] / expertsPerRank)
    if (taken[rank] >= capacity) {
      dropped++
      continue
    }
    taken[rank]++
    experts[slot] = routing.experts[slot]
    weights[slot] = routing.weights[slot]
  }
  return { ...routing, experts, weights, dropped }
}

function checkOrder({ experts }: Routing, order: Int32Array): void {
  const waiting = new Uint8Array(experts.length)
  for (let slot = 0; slot < experts.length; slot++) waiting[slot] = experts[slot] >= 0 ? 1 : 0
  let served = 0
  for (const slot of order) {
    served += waiting[slot] // NaN for a slot that there is not
    waiting[slot] = 0
  }
  demand(
    served === order.length && !waiting.includes(1),
    'applyCapacity: order must name every filled slot once',
    order,
    'Take it of the same routing, with one of the orders, such as probabilityOrder.',
  )
}
