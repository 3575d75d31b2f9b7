import { demand } from '../errors.js'
import { filledSlots, type Routing } from '../router/routing.js'
import { sum } from '../stats.js'

// What flaxformer reports of a routing, after its capacity has refused what it does. "Dispatched" counts filled slots, but not
// fillers; padding is among the tokens, as there.

/**
 * Share of tokens that no expert processes. Not the share of assignments dropped: a token of six experts that loses one
 * is not left behind. `fraction_tokens_left_behind` of flaxformer.
 */
export function fractionLeftBehind(routing: Routing): number {
  const empty = filledSlots(routing).filter((filled) => filled === 0)
  return empty.length / Math.max(1, routing.tokens)
}

/** Mean combine weight of what was dispatched; 0 of nothing. `router_confidence` of flaxformer. */
export function routerConfidence(routing: Routing): number {
  return sum(routing.weights) / Math.max(1, sum(filledSlots(routing)))
}

/** Share of the room that was used: dispatched / (E · capacity), capacity in tokens an expert. `expert_usage` of flaxformer. */
export function expertUsage(routing: Routing, capacity: number): number {
  demand(
    capacity > 0 && capacity < Infinity,
    'expertUsage: capacity must be a finite number above 0',
    capacity,
    'It is the room of each expert.',
  )
  return sum(filledSlots(routing)) / (routing.numExperts * capacity)
}
