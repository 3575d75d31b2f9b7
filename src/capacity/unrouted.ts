import { filledSlots, type Routing } from '../router/routing.js'

/**
 * How many tokens have no expert: every slot of their own is empty, be it that a capacity refused them all or that the
 * router chose none (ReLU, expert choice). Not `dropped`, which counts assignments refused: a token of six experts that
 * loses one is not lost, and one that chose none has lost nothing. A filler is no expert of its token; a null expert is.
 *
 * Padding, which may go nowhere, is not counted where the routing tells its scores and its row is −∞ throughout; `route`
 * tells none, the routers of a simulation that select on scores do.
 */
export function unroutedTokens(routing: Routing): number {
  const { numExperts } = routing
  const mayGo = (token: number): boolean =>
    routing.scores === undefined || // read only where a token has none, for reading may make them
    routing.scores
      .subarray(token * numExperts, (token + 1) * numExperts)
      .some((score) => score > Number.NEGATIVE_INFINITY)
  return filledSlots(routing).reduce(
    (count, filled, token) => count + (filled === 0 && mayGo(token) ? 1 : 0),
    0,
  )
}
