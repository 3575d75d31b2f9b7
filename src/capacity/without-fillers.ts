import type { Routing } from '../router/routing.js'

/** The routing without what fills its rows up for a fixed shape: a filler is no expert of its token. */
export function withoutFillers(routing: Routing): Routing {
  if (routing.ownSlots === undefined) return routing // and its scores are not read, which may make them
  const { fillers, ownSlots, ...padded } = routing
  const own = <A extends Int32Array | Float32Array>(rows: A): A =>
    rows.filter((_, slot) => slot % routing.topK < ownSlots) as A
  return { ...padded, topK: ownSlots, experts: own(routing.experts), weights: own(routing.weights) }
}
