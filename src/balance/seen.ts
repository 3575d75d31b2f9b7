import { demand } from '../errors.js'
import { joinRoutings, ownSlotsOf, type Routing } from '../router/routing.js'
import type { Seen } from './protocol.js'

/**
 * The routings of several micro-batches as one, for a rule that looks at them; undefined unless there are some and all tell
 * their scores.
 */
export function seenOf(parts: readonly Routing[]): Seen | undefined {
  if (parts.length === 0) return undefined
  const routing = joinRoutings(parts)
  const { scores } = routing
  return scores && { routing, scores, microBatches: parts.map(({ tokens }) => tokens) }
}

/** What a rule that looks at scores cannot do without, and K, in which fillers do not count. Throws an InputError where the router has not told them. */
export function demandSeen(who: string, seen: Seen | undefined): Seen & { readonly topK: number } {
  demand(
    seen !== undefined,
    `${who}: the router must tell the scores that it selected from`,
    seen,
    'Use a router config, linearRouter or biasedLogitRouter, or return `scores` with your routing; ' +
      'a loop or a rule of your own must hand { routing, scores } on as the third argument of update.',
  )
  const { routing, scores } = seen
  demand(
    scores.length === routing.tokens * routing.numExperts,
    `${who}: scores must hold ${routing.tokens} tokens × ${routing.numExperts} experts`,
    scores,
    'Give the scores of all tokens of the routing.',
  )
  const topK = ownSlotsOf(routing)
  demand(
    topK < routing.numExperts,
    `${who}: topK must be below numExperts = ${routing.numExperts}`,
    topK,
    'Where every token goes to every expert there is nothing to balance: use noBalance.',
  )
  return { ...seen, topK }
}
