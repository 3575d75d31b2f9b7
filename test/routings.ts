import fc from 'fast-check'
import { type Routing, streams } from 'moesim'

/** A routing written out: one row of experts a token, −1 for an empty slot; weights by rank unless given. */
export function routingOf(
  numExperts: number,
  rows: readonly (readonly number[])[],
  weights: readonly (readonly number[])[] = rows.map((row) =>
    row.map((expert, k) => (expert < 0 ? 0 : 1 / (k + 1))),
  ),
): Routing {
  return {
    tokens: rows.length,
    topK: rows[0]?.length ?? 1,
    numExperts,
    experts: Int32Array.from(rows.flat()),
    weights: Float32Array.from(weights.flat()),
    dropped: 0,
  }
}

export const rowsOf = ({ tokens, topK, experts }: Routing): number[][] =>
  Array.from({ length: tokens }, (_, token) => [...experts.subarray(token * topK, (token + 1) * topK)])

/** The experts of each token, without empty slots. */
export const chosen = (routing: Routing): number[][] =>
  rowsOf(routing).map((row) => row.filter((expert) => expert >= 0))

/** Any routing: distinct experts in a row, some slots empty, weights above 0 with ties among them. */
export const routings: fc.Arbitrary<Routing> = fc
  .record({
    tokens: fc.integer({ min: 0, max: 20 }),
    numExperts: fc.integer({ min: 1, max: 8 }),
    seed: fc.integer({ min: 0, max: 1e6 }),
  })
  .chain(({ tokens, numExperts, seed }) =>
    fc.integer({ min: 1, max: numExperts }).map((topK) => {
      const draws = streams(seed)('test')
      const rows = Array.from({ length: tokens }, (_, token) => {
        draws.at(token)
        const deck = Array.from({ length: numExperts }, (_, e) => e)
        return Array.from({ length: topK }, () => {
          // The square makes low experts popular, so that capacities have something to do.
          const [expert] = deck.splice(Math.floor(draws.uniform() ** 2 * deck.length), 1)
          return draws.below(8) === 0 ? -1 : expert
        })
      })
      const weights = rows.map((row) => row.map((expert) => (expert < 0 ? 0 : (1 + draws.below(16)) / 16)))
      return { ...routingOf(numExperts, rows, weights), topK }
    }),
  )
