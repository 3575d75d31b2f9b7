import fc from 'fast-check'
import {
  allToAllSeconds,
  contiguousRanks,
  crossing,
  expectedBytesPerToken,
  groupsTouched,
  type RankMap,
  sentAssignments,
  sentTokens,
  trafficOf,
} from 'moesim'
import { describe, expect, test } from 'vitest'
import { routingOf, routings } from '../routings.js'

const spread = (numExperts: number, tokens: number, ranks: number): RankMap => ({
  ranks,
  expertRank: contiguousRanks(numExperts, ranks),
  tokenRank: contiguousRanks(tokens, ranks),
})

const sum = (matrix: Int32Array): number => matrix.reduce((all, x) => all + x, 0)

describe('traffic between ranks', () => {
  const routing = routingOf(4, [
    [0, 1],
    [2, 3],
    [0, 3],
    [1, -1],
  ])
  const map = spread(4, 4, 2) // experts 0 and 1 with tokens 0 and 1 on rank 0

  test('without deduplication, a vector for each assignment', () => {
    expect([...sentAssignments(routing, map)]).toEqual([2, 2, 2, 1])
  })

  test('with it, one for each token and rank', () => {
    expect([...sentTokens(routing, map)]).toEqual([1, 1, 2, 1])
  })

  test('nothing is lost: assignments sum to the filled slots, deduplicated ones to the ranks that tokens touch', () => {
    fc.assert(
      fc.property(routings, fc.integer({ min: 1, max: 5 }), (any, ranks) => {
        const places = spread(any.numExperts, any.tokens, ranks)
        const filled = any.experts.filter((expert) => expert >= 0).length
        expect(sum(sentAssignments(any, places))).toBe(filled)
        const touched = groupsTouched(any, places.expertRank)
        expect(sum(sentTokens(any, places))).toBe(touched.reduce((all, ranks) => all + ranks, 0))
      }),
    )
  })

  test('one rank for each expert leaves nothing to deduplicate; one for all leaves one vector a token', () => {
    fc.assert(
      fc.property(routings, (any) => {
        const each = spread(any.numExperts, any.tokens, any.numExperts)
        expect(sentTokens(any, each)).toEqual(sentAssignments(any, each))
        const busy = groupsTouched(any, new Int32Array(any.numExperts))
        expect(sum(sentTokens(any, spread(any.numExperts, any.tokens, 1)))).toBe(sum(busy))
      }),
    )
  })

  test('bytes go out in one format and come back in the other, where they came from', () => {
    const vectors = sentTokens(routing, map)
    const { dispatchBytes, combineBytes } = trafficOf(vectors, {
      width: 128,
      dispatch: 'fp8-block128',
      combine: 'bf16',
    })
    expect([...dispatchBytes]).toEqual([132, 132, 264, 132])
    expect([...combineBytes]).toEqual([256, 512, 256, 256])
    expect([crossing(vectors), crossing(dispatchBytes)]).toEqual([3, 396])
  })

  test('expected bytes leave out the rank where the token is', () => {
    const vector = { width: 2688, dispatch: 'fp8', combine: 'bf16' } as const
    const all = { numExperts: 128, topK: 6, ...vector }
    expect(expectedBytesPerToken({ ...all, groups: 1 })).toBe(0)
    expect(expectedBytesPerToken({ ...all, groups: 128 })).toBeCloseTo(48384 * (127 / 128), 8)
    expect(expectedBytesPerToken({ ...all, groups: 8 })).toBeCloseTo(4.4711218768779 * 0.875 * 3 * 2688, 6)
  })

  test('things stand side by side, as evenly as it goes', () => {
    expect([...contiguousRanks(7, 3)]).toEqual([0, 0, 0, 1, 1, 2, 2])
    expect([...contiguousRanks(0, 3)]).toEqual([])
  })

  test('a map that does not fit is refused', () => {
    expect(() => sentTokens(routing, { ...map, ranks: 0 })).toThrow('sentTokens: ranks must be')
    expect(() => sentTokens(routing, { ...map, expertRank: new Int32Array(3) })).toThrow(
      'expertRank must have 4 entries',
    )
    expect(() => sentAssignments(routing, { ...map, tokenRank: Int32Array.of(0, 0, 1, 2) })).toThrow(
      'tokenRank must be ranks from 0 to 1, got 2',
    )
    expect(() => sentTokens(routing, { ...map, expertRank: Int32Array.of(0, -1, 1, 1) })).toThrow(
      'expertRank must be ranks',
    )
  })
})

describe('the time of an all-to-all', () => {
  const hardware = { ranksPerNode: 2, linkBytesPerSecond: 100, networkBytesPerSecond: 10 }
  const matrix = (entries: readonly [from: number, to: number, bytes: number][], ranks = 4): Float64Array => {
    const bytes = new Float64Array(ranks * ranks)
    for (const [from, to, count] of entries) bytes[from * ranks + to] += count
    return bytes
  }

  test('is that of the busiest port: out or in, link or network', () => {
    expect(
      allToAllSeconds({
        bytes: matrix([
          [0, 1, 100],
          [1, 0, 300],
        ]),
        hardware,
      }),
    ).toBe(3)
    expect(
      allToAllSeconds({
        bytes: matrix([
          [0, 2, 10],
          [0, 3, 10],
        ]),
        hardware,
      }),
    ).toBe(2)
    expect(
      allToAllSeconds({
        bytes: matrix([
          [0, 2, 10],
          [1, 2, 10],
          [3, 2, 1000],
        ]),
        hardware,
      }),
    ).toBe(10)
    expect(
      allToAllSeconds({
        bytes: matrix([
          [0, 2, 10],
          [1, 2, 20],
        ]),
        hardware,
      }),
    ).toBe(3)
  })

  test('what stays on its rank takes no time, and one rank none at all', () => {
    expect(allToAllSeconds({ bytes: matrix([[0, 0, 1e9]]), hardware })).toBe(0)
    expect(allToAllSeconds({ bytes: Float64Array.of(5), hardware, latencySeconds: 1 })).toBe(0)
  })

  test('adds the latency of one step, or of as many as given; that of the hardware unless given', () => {
    const bytes = matrix([[0, 1, 100]])
    expect(allToAllSeconds({ bytes, hardware })).toBe(1)
    expect(allToAllSeconds({ bytes, hardware, latencySeconds: 2 })).toBe(3)
    expect(allToAllSeconds({ bytes, hardware, latencySeconds: 2, steps: 3 })).toBe(7)
    const slow = { ...hardware, latencySeconds: 5 }
    expect(allToAllSeconds({ bytes, hardware: slow })).toBe(6)
    expect(allToAllSeconds({ bytes, hardware: slow, latencySeconds: 0 })).toBe(1)
  })

  test('is refused of what is no matrix, latency or number of steps', () => {
    const bytes = matrix([[0, 1, 100]])
    expect(() => allToAllSeconds({ bytes: new Float64Array(5), hardware })).toThrow('Give a matrix [R, R]')
    expect(() => allToAllSeconds({ bytes, hardware, latencySeconds: -1 })).toThrow(
      'latencySeconds must be a number',
    )
    expect(() => allToAllSeconds({ bytes, hardware, latencySeconds: Infinity })).toThrow(
      'latencySeconds must be',
    )
    expect(() => allToAllSeconds({ bytes, hardware, steps: 1.5 })).toThrow('steps must be a whole number')
  })
})
