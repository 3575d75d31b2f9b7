import fc from 'fast-check'
import { InputError, locality } from 'moesim'
import { describe, expect, test } from 'vitest'
import { chosen, routingOf, routings } from '../routings.js'

describe('locality', () => {
  // Two sequences: tokens 0 to 2 and tokens 3 and 4. Token 3 repeats token 2, but is no neighbour of it.
  const routing = routingOf(
    4,
    [
      [0, 1],
      [0, 2],
      [2, 0],
      [2, 0],
      [1, 0],
    ],
    [
      [0.75, 0.25],
      [0.25, 0.75], // the heaviest expert need not be the first
      [0.75, 0.25],
      [0.5, 0.5], // the first of equals
      [0.25, 0.75],
    ],
  )
  const sequences = Int32Array.of(7, 7, 7, 8, 8)

  test('of five tokens, worked out by hand', () => {
    const figures = locality(routing, sequences)
    expect(figures).toMatchObject({ pairs: 3, firstRepeats: 1 / 3, heaviestRepeats: 1 / 3, kept: 4 / 6 })
    expect(figures.anyShared).toBe(1)
    expect(figures.keptByChance).toBeCloseTo((5 * 5 + 2 * 2 + 3 * 3) / (5 * 10), 12)
    expect(figures.firstRepeatsByChance).toBeCloseTo((4 + 4 + 1) / 25, 12)
  })

  test('has no pairs where every token is a sequence of its own, and none without tokens', () => {
    const none = { pairs: 0, firstRepeats: 0, heaviestRepeats: 0, anyShared: 0, kept: 0 }
    expect(locality(routing, Int32Array.of(1, 2, 3, 4, 5))).toMatchObject(none)
    expect(locality(routingOf(4, []), new Int32Array(0))).toEqual({
      ...none,
      firstRepeatsByChance: 0,
      keptByChance: 0,
    })
  })

  test('is complete where every token is routed alike', () => {
    fc.assert(
      fc.property(
        routings.filter((routing) => chosen(routing)[0]?.length === routing.topK),
        fc.integer({ min: 2, max: 9 }),
        ({ numExperts, topK, experts }, tokens) => {
          const row = [...experts.subarray(0, topK)]
          const alike = routingOf(
            numExperts,
            Array.from({ length: tokens }, () => row),
          )
          const { firstRepeatsByChance, keptByChance, ...shares } = locality(alike, new Int32Array(tokens))
          expect(shares).toEqual({
            pairs: tokens - 1,
            firstRepeats: 1,
            heaviestRepeats: 1,
            anyShared: 1,
            kept: 1,
          })
          expect(keptByChance).toBeCloseTo(1, 12)
          expect(firstRepeatsByChance).toBeCloseTo(1, 12)
        },
      ),
    )
  })

  test('does not see what the experts are called', () => {
    fc.assert(
      fc.property(routings, (routing) => {
        const { numExperts, tokens, experts } = routing
        const renamed = experts.map((expert) => (expert < 0 ? -1 : numExperts - 1 - expert))
        const [figures, same] = [routing, { ...routing, experts: renamed }].map((each) =>
          locality(each, new Int32Array(tokens)),
        )
        expect(same.firstRepeatsByChance).toBeCloseTo(figures.firstRepeatsByChance, 12)
        expect({ ...same, firstRepeatsByChance: 0 }).toEqual({ ...figures, firstRepeatsByChance: 0 })
      }),
    )
  })

  test('by chance is one over E where all experts come first equally often', () => {
    const rows = Array.from({ length: 24 }, (_, token) => [token % 8])
    expect(locality(routingOf(8, rows), new Int32Array(24)).firstRepeatsByChance).toBeCloseTo(1 / 8, 12)
  })

  test('takes empty slots as no choice: tokens without experts repeat nothing', () => {
    const padded = routingOf(4, [
      [1, -1],
      [1, -1],
      [-1, -1],
      [-1, -1],
    ])
    const figures = locality(padded, new Int32Array(4))
    expect(figures).toMatchObject({ pairs: 3, firstRepeats: 1 / 3, heaviestRepeats: 1 / 3, kept: 1 })
    expect(figures.firstRepeatsByChance).toBe(1 / 4)
    expect(locality(routingOf(4, [[1], [-1]]), new Int32Array(2)).kept).toBe(0)
  })

  test('is refused for sequences of other tokens', () => {
    expect(() => locality(routing, new Int32Array(4))).toThrow(InputError)
    expect(() => locality(routing, new Int32Array(4))).toThrow(
      'locality: sequences must be [T], one for each of 5 tokens, got a Int32Array of 4. Take them from the batch',
    )
  })
})
