import fc from 'fast-check'
import type { Routing } from 'moesim'

/** A routing from its rows, all of one length, best expert first; -1 is an empty slot. */
export function routingOf(numExperts: number, rows: number[][], weights?: number[][]): Routing {
  const topK = rows[0]?.length ?? 1
  const experts = Int32Array.from(rows.flat())
  return {
    tokens: rows.length,
    topK,
    numExperts,
    experts,
    weights: weights
      ? Float32Array.from(weights.flat())
      : Float32Array.from(experts, (expert, slot) => (expert < 0 ? 0 : 1 / (1 + (slot % topK)))),
    dropped: 0,
  }
}

/** Routings of distinct experts, some slots of which are empty. */
export const routings: fc.Arbitrary<Routing> = fc.integer({ min: 1, max: 6 }).chain((numExperts) =>
  fc.integer({ min: 1, max: numExperts }).chain((topK) => {
    const order = fc.shuffledSubarray([...Array(numExperts).keys()], { minLength: topK, maxLength: topK })
    const row = fc
      .tuple(order, fc.array(fc.boolean(), { minLength: topK, maxLength: topK }))
      .map(([experts, filled]) => experts.map((expert, slot) => (filled[slot] ? expert : -1)))
    return fc.array(row, { maxLength: 8 }).map((rows) => ({ ...routingOf(numExperts, rows), topK }))
  }),
)

/** The experts of each token, without empty slots. */
export const chosen = ({ tokens, topK, experts }: Routing): number[][] =>
  Array.from({ length: tokens }, (_, token) =>
    [...experts.subarray(token * topK, (token + 1) * topK)].filter((expert) => expert >= 0),
  )
