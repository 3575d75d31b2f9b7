import fc from 'fast-check'
import {
  contiguousRanks,
  distinctExperts,
  expectedDistinctExperts,
  expectedGroupsTouched,
  groupsTouched,
  groupsTouchedChances,
  randomRouting,
  tokensPerTouchedExpert,
  tokensToTouch,
} from 'moesim'
import { describe, expect, test } from 'vitest'
import { run } from '../router/run.js'
import { routingOf } from '../routings.js'

const choices = fc
  .integer({ min: 1, max: 512 })
  .chain((numExperts) =>
    fc.record({ numExperts: fc.constant(numExperts), topK: fc.integer({ min: 1, max: numExperts }) }),
  )

describe('experts that a batch reads', () => {
  test('one token reads K, all experts are read in the end, and never more than E or than assignments', () => {
    fc.assert(
      fc.property(choices, fc.nat(5000), ({ numExperts, topK }, tokens) => {
        const read = expectedDistinctExperts({ numExperts, topK, tokens })
        expect(read).toBeLessThanOrEqual(numExperts * (1 + 1e-15))
        expect(read).toBeLessThanOrEqual(tokens * topK * (1 + 1e-15))
        expect(expectedDistinctExperts({ numExperts, topK, tokens: 1 })).toBeCloseTo(topK, 12)
        expect(read / numExperts).toBeCloseTo(1 - (1 - topK / numExperts) ** tokens, 12)
      }),
    )
  })

  test('keeps its digits where next to nothing is read', () => {
    const million = { numExperts: 1 << 20, topK: 1, tokens: 3 }
    expect(expectedDistinctExperts(million)).toBeCloseTo(3 - 3 / 2 ** 20 + 1 / 2 ** 40, 15)
    expect(expectedDistinctExperts({ ...million, tokens: 0 })).toBe(0)
  })

  test('the tokens that read a share are the least that do', () => {
    fc.assert(
      fc.property(
        choices,
        fc.double({ min: 0.01, max: 0.999, noNaN: true }),
        ({ numExperts, topK }, share) => {
          const enough = tokensToTouch(share, { numExperts, topK })
          const read = (tokens: number): number =>
            expectedDistinctExperts({ numExperts, topK, tokens }) / numExperts
          expect(read(enough)).toBeGreaterThanOrEqual(share * (1 - 1e-15))
          expect(read(enough - 1)).toBeLessThan(share)
        },
      ),
    )
    expect(tokensToTouch(0.99, { numExperts: 8, topK: 8 })).toBe(1)
    const rare = tokensToTouch(1 - 2 ** -20, { numExperts: 1 << 20, topK: 1e-6 })
    expect(rare / 2 ** 20 / 1e6).toBeCloseTo(20 * Math.LN2, 5)
  })

  test('a touched expert has T K / N(T) tokens on average', () => {
    expect(tokensPerTouchedExpert({ numExperts: 128, topK: 6, tokens: 1 })).toBeCloseTo(1, 14)
    expect(tokensPerTouchedExpert({ numExperts: 128, topK: 6, tokens: 4096 })).toBeCloseTo(192, 9)
    expect(tokensPerTouchedExpert({ numExperts: 128, topK: 6, tokens: 0 })).toBe(0)
  })

  test('counted, empty slots read nothing', () => {
    expect(
      distinctExperts(
        routingOf(8, [
          [1, 2],
          [2, -1],
          [2, 1],
        ]),
      ),
    ).toBe(2)
  })

  test('is refused of what is no batch', () => {
    const any = { numExperts: 8, topK: 2, tokens: 4 }
    expect(() => expectedDistinctExperts({ ...any, numExperts: 0 })).toThrow('numExperts must be')
    expect(() => expectedDistinctExperts({ ...any, topK: 9 })).toThrow(
      'topK must be a number from 0 to numExperts = 8',
    )
    expect(() => expectedDistinctExperts({ ...any, tokens: Number.NaN })).toThrow('tokens must be')
    expect(() => tokensToTouch(1, any)).toThrow('share must be above 0 and below 1')
    expect(() => tokensToTouch(0, any)).toThrow('share must be above 0 and below 1')
    expect(() => tokensToTouch(0.5, { ...any, topK: 0 })).toThrow('topK must be at least 1e-6')
  })
})

const grouped = fc
  .record({ groups: fc.integer({ min: 1, max: 8 }), size: fc.integer({ min: 1, max: 8 }) })
  .chain(({ groups, size }) =>
    fc.record({
      groups: fc.constant(groups),
      size: fc.constant(size),
      topGroups: fc.integer({ min: 1, max: groups }),
    }),
  )
  .chain(({ groups, size, topGroups }) =>
    fc.record({
      numExperts: fc.constant(groups * size),
      groups: fc.constant(groups),
      topGroups: fc.constant(topGroups),
      topK: fc.integer({ min: 0, max: topGroups * size }),
    }),
  )

/** Every set of K of n things. */
function* sets(n: number, k: number, from = 0): Generator<number[]> {
  if (k === 0) yield []
  else for (let i = from; i <= n - k; i++) for (const rest of sets(n, k - 1, i + 1)) yield [i, ...rest]
}

describe('groups that a token needs', () => {
  test.each([
    [8, 3, 4],
    [12, 5, 3],
    [12, 4, 12],
    [9, 9, 3],
    [6, 0, 2],
  ])(
    '%d experts, %d a token, in %d groups: the chances are those of all sets, counted',
    (numExperts, topK, groups) => {
      const counts = new Float64Array(groups + 1)
      let total = 0
      for (const set of sets(numExperts, topK)) {
        counts[new Set(set.map((expert) => Math.floor((expert * groups) / numExperts))).size]++
        total++
      }
      const chances = groupsTouchedChances({ numExperts, topK, groups })
      for (const [touched, chance] of chances.entries())
        expect(chance).toBeCloseTo(counts[touched] / total, 14)
    },
  )

  test('the chances sum to 1, and their mean is the expected number', () => {
    fc.assert(
      fc.property(grouped, (sizes) => {
        const chances = groupsTouchedChances(sizes)
        expect(chances.length).toBe(sizes.groups + 1)
        expect(chances.reduce((sum, chance) => sum + chance, 0)).toBeCloseTo(1, 13)
        const mean = chances.reduce((sum, chance, touched) => sum + chance * touched, 0)
        expect(mean).toBeCloseTo(expectedGroupsTouched(sizes), 12)
      }),
    )
  })

  test('a limit makes of more groups as many as it allows', () => {
    const free = groupsTouchedChances({ numExperts: 256, topK: 8, groups: 8 })
    const limited = groupsTouchedChances({ numExperts: 256, topK: 8, groups: 8, topGroups: 4 })
    expect(limited.subarray(0, 4)).toEqual(free.subarray(0, 4))
    expect(limited[4]).toBeCloseTo(
      free.subarray(4).reduce((sum, chance) => sum + chance, 0),
      14,
    )
    const any = { numExperts: 256, topK: 3, groups: 8 }
    expect(expectedGroupsTouched({ ...any, topGroups: 3 })).toBe(expectedGroupsTouched(any))
  })

  test("DeepSeek-V3's limit of 4 nodes, by the two best experts of each, is within 1 % of routings counted", () => {
    const router = {
      numExperts: 256,
      topK: 8,
      scoreFunction: 'sigmoid',
      normalize: true,
      scale: 2.5,
    } as const
    const limit = { numGroups: 8, topGroups: 4, groupScoreTop: 2 }
    const routing = run(
      randomRouting({ ...router, ...limit }),
      { tokens: 20000 },
      { bias: new Float32Array(256) },
    )
    const touched = groupsTouched(routing, contiguousRanks(256, 8))
    const mean = touched.reduce((sum, nodes) => sum + nodes, 0) / 20000
    expect(mean).toBeCloseTo(3.965, 2)
    expect(expectedGroupsTouched({ numExperts: 256, topK: 8, groups: 8, topGroups: 4 }) / mean).toBeCloseTo(
      1.0046,
      2,
    )
  })

  test('one expert a group is K groups; one token of one expert is one; huge sizes stay exact', () => {
    expect(expectedGroupsTouched({ numExperts: 64, topK: 8, groups: 64 })).toBeCloseTo(8, 13)
    expect(expectedGroupsTouched({ numExperts: 64, topK: 1, groups: 8 })).toBe(1)
    expect(expectedGroupsTouched({ numExperts: 1 << 20, topK: 1, groups: 1 << 10 })).toBe(1)
    expect(
      groupsTouchedChances({ numExperts: 512, topK: 22, groups: 64 }).reduce((a, b) => a + b, 0),
    ).toBeCloseTo(1, 12)
  })

  test('counted, each group once and empty slots not at all', () => {
    const routing = routingOf(8, [
      [0, 1, 7],
      [2, -1, -1],
      [-1, -1, -1],
    ])
    expect([...groupsTouched(routing, Int32Array.of(0, 0, 1, 1, 2, 2, 3, 3))]).toEqual([2, 1, 0])
  })

  test('is refused where groups are not equal, or hold too few, or the work is too much', () => {
    const any = { numExperts: 8, topK: 2, groups: 4 }
    expect(() => expectedGroupsTouched({ ...any, groups: 3 })).toThrow(
      'numExperts must be a multiple of groups = 3',
    )
    expect(() => expectedGroupsTouched({ ...any, groups: 0 })).toThrow(
      'groups must be a whole number from 1 to 8',
    )
    expect(() => expectedGroupsTouched({ ...any, topGroups: 5 })).toThrow(
      'topGroups must be a whole number from 1 to 4',
    )
    expect(() => expectedGroupsTouched({ ...any, topGroups: 1, topK: 3 })).toThrow(
      'topK must be a whole number from 0 to 2',
    )
    expect(() => expectedGroupsTouched({ ...any, numExperts: 0 })).toThrow('numExperts must be')
    expect(() => groupsTouchedChances({ numExperts: 1 << 16, topK: 1 << 10, groups: 1 << 8 })).toThrow(
      'the groups times the square of topK must stay below 2^31',
    )
  })
})
