import fc from 'fast-check'
import {
  coActivation,
  companions,
  domainPreferences,
  domains,
  loadByDomain,
  loadOf,
  mutualInformation,
  type RouterConfig,
  route,
  streams,
} from 'moesim'
import { describe, expect, test } from 'vitest'
import { chosen, routingOf, routings } from '../routings.js'

// Tokens of domains 0, 2, 0, 2; nobody is of domain 1.
const routing = routingOf(4, [
  [0, 1],
  [2, 3],
  [0, -1],
  [3, 0],
])
const ofToken = Int32Array.of(0, 2, 0, 2)
const byDomain = loadByDomain(routing, ofToken, 3)

describe('the load by domain', () => {
  test('of four tokens, worked out by hand: empty slots count nowhere', () => {
    expect([...byDomain]).toEqual([2, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 2])
  })

  test('summed over domains is the load', () => {
    fc.assert(
      fc.property(routings, fc.infiniteStream(fc.nat(2)), (routing, random) => {
        const { tokens, numExperts } = routing
        const ofToken = Int32Array.from({ length: tokens }, () => random.next().value)
        const load = loadByDomain(routing, ofToken, 3)
        const summed = Int32Array.from(
          { length: numExperts },
          (_, e) => load[e] + load[numExperts + e] + load[2 * numExperts + e],
        )
        expect(summed).toEqual(loadOf(routing))
      }),
    )
  })

  test.each([
    [Int32Array.of(0, 2, 0), 3],
    [Int32Array.of(0, 2, 0, 3), 3],
    [Int32Array.of(0, -1, 0, 2), 3],
    [Int32Array.of(0, 0, 0, 0), 0],
  ])('is refused for domains %o of %d: no assignment may be lost', (ofToken, numDomains) => {
    expect(() => loadByDomain(routing, ofToken, numDomains)).toThrow(
      `loadByDomain: domains must be [T], one below numDomains = ${numDomains} for each of 4 tokens`,
    )
  })
})

describe('domainPreferences', () => {
  test('of four tokens, worked out by hand, with a domain that nobody is of', () => {
    const [first, second, third] = domainPreferences(byDomain, ofToken, 4)
    expect(first).toEqual({
      tokens: 2,
      distinctExperts: 2,
      topExpert: 0,
      topShare: 1,
      maxViolation: 8 / 3 - 1,
    })
    expect(second).toEqual({ tokens: 0, distinctExperts: 0, topExpert: 0, topShare: 0, maxViolation: 0 })
    expect(third).toEqual({ tokens: 2, distinctExperts: 3, topExpert: 3, topShare: 1, maxViolation: 1 })
  })

  test('name the lowest of equal experts', () => {
    expect(domainPreferences(Int32Array.of(0, 3, 3), new Int32Array(4), 3)[0]).toMatchObject({
      topExpert: 1,
      topShare: 0.75,
    })
  })
})

describe('the mutual information of expert and domain', () => {
  test.each([1, 2, 3, 4, 8])('is log2 of the domains, %d, where each has experts of its own', (count) => {
    const load = Int32Array.from({ length: count * count }, (_, i) =>
      i % count === Math.floor(i / count) ? 7 : 0,
    )
    expect(mutualInformation(load, count)).toBeCloseTo(Math.log2(count), 12)
  })

  test('is 0 where the domain says nothing about the expert, however unlike their sizes', () => {
    const counts = fc.array(fc.nat(20), { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(counts, counts, (sizes, experts) => {
        const load = Int32Array.from(sizes.flatMap((size) => experts.map((expert) => size * expert)))
        expect(mutualInformation(load, experts.length)).toBe(0)
      }),
    )
  })

  test('of the table 3, 1 and 1, 3, worked out by hand', () => {
    // log2 2 + ¾ log2 ¾ + ¼ log2 ¼
    expect(mutualInformation(Int32Array.of(3, 1, 1, 3), 2)).toBeCloseTo(0.1887218755408672, 12)
  })

  test('is symmetric, never below 0 and never above the smaller logarithm', () => {
    const table = fc
      .record({ rows: fc.integer({ min: 1, max: 5 }), columns: fc.integer({ min: 1, max: 5 }) })
      .chain(({ rows, columns }) =>
        fc.record({
          rows: fc.constant(rows),
          columns: fc.constant(columns),
          counts: fc.array(fc.nat(30), { minLength: rows * columns, maxLength: rows * columns }),
        }),
      )
    fc.assert(
      fc.property(table, ({ rows, columns, counts }) => {
        const bits = mutualInformation(Int32Array.from(counts), columns)
        const turned = Int32Array.from(counts, (_, i) => counts[(i % rows) * columns + Math.floor(i / rows)])
        expect(mutualInformation(turned, rows)).toBeCloseTo(bits, 12)
        expect(bits).toBeGreaterThanOrEqual(-1e-12)
        expect(bits).toBeLessThanOrEqual(Math.log2(Math.min(rows, columns)) + 1e-12)
      }),
    )
  })

  test('grows with the preference of the domains', () => {
    const router: RouterConfig = {
      numExperts: 16,
      topK: 2,
      scoreFunction: 'sigmoid',
      normalize: true,
      scale: 1,
    }
    const bits = [0, 1, 3].map((preference) => {
      const workload = domains({ numExperts: 16, mixture: { a: 1, b: 1 }, sequenceLength: 1, preference })
      const batch = workload({ tokens: 4000, layer: 0, step: 0, random: streams(3) })
      return mutualInformation(loadByDomain(route(batch.logits!, router), batch.domains!, 2), 16)
    })
    // Independence: 2 N ln 2 · bits is χ² of 15 degrees of freedom, above 44.3 one time in 10,000; N = 8000.
    expect(bits[0]).toBeLessThan(44.3 / (2 * 8000 * Math.LN2))
    expect(bits[1]).toBeGreaterThan(10 * bits[0])
    expect(bits[2]).toBeGreaterThan(bits[1])
  })

  test('of nothing is 0', () => expect(mutualInformation(new Int32Array(8), 4)).toBe(0))

  test.each([3, 0])('and preferences are refused for a load that is not rows of %d', (numExperts) => {
    const rule = `: load must be [domains, E], whole rows of numExperts = ${numExperts}`
    expect(() => mutualInformation(new Int32Array(8), numExperts)).toThrow(`mutualInformation${rule}`)
    expect(() => domainPreferences(new Int32Array(8), ofToken, numExperts)).toThrow(
      `domainPreferences${rule}`,
    )
  })
})

describe('co-activation', () => {
  test('of four tokens, worked out by hand', () => {
    expect([...coActivation(routing)]).toEqual([3, 1, 0, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 1, 2])
  })

  test('is symmetric, with the load on its diagonal, and loses no pair', () => {
    fc.assert(
      fc.property(routings, (routing) => {
        const { numExperts: E } = routing
        const both = coActivation(routing)
        expect([...both]).toEqual([...both].map((_, i) => both[(i % E) * E + Math.floor(i / E)]))
        expect(loadOf(routing)).toEqual(Int32Array.from({ length: E }, (_, e) => both[e * E + e]))
        const pairs = chosen(routing).reduce((sum, row) => sum + row.length * row.length, 0)
        expect(both.reduce((sum, count) => sum + count, 0)).toBe(pairs)
      }),
    )
  })
})

describe('companions', () => {
  // Of 10 tokens 5 choose experts 0 and 1, 3 choose 0 and 2, 1 chooses 2 and 3, 1 chooses 1 alone.
  const rows = [
    ...Array.from({ length: 5 }, () => [0, 1]),
    ...Array.from({ length: 3 }, () => [2, 0]),
    [3, 2],
    [1, -1],
  ]
  const both = coActivation(routingOf(4, rows))

  test('of ten tokens, worked out by hand', () => {
    expect(companions(both, 4, 10, 1)).toEqual({
      pair: [0, 1],
      pairShare: 0.5,
      given: 3,
      other: 2,
      conditional: 1,
    })
    // With at least 2 tokens expert 3 is out, and 1 is followed by 0 in 5 of 6; 2 by 0 in only 3 of 4.
    expect(companions(both, 4, 10, 2)).toMatchObject({ given: 1, other: 0, conditional: 5 / 6 })
    expect(companions(both, 4, 10, 7)).toMatchObject({ given: 0, other: 1, conditional: 5 / 8 })
  })

  test('look at experts of 30 tokens and more unless told otherwise', () => {
    const times = (count: number) =>
      companions(
        both.map((n) => n * count),
        4,
        10 * count,
      )
    expect(times(29)).toMatchObject({ given: 1, other: 0 })
    expect(times(30)).toMatchObject({ given: 3, other: 2 })
  })

  test('are none where no two experts are chosen together, or none often enough', () => {
    const none = { pair: [0, 0], pairShare: 0, given: 0, other: 0, conditional: 0 }
    expect(companions(coActivation(routingOf(4, [[1], [2]])), 4, 2, 1)).toEqual(none)
    expect(companions(coActivation(routingOf(1, [[0]])), 1, 1, 1)).toEqual(none)
    expect(companions(coActivation(routingOf(4, [])), 4, 0)).toEqual(none)
    expect(companions(both, 4, 10)).toEqual({ ...none, pair: [0, 1], pairShare: 0.5 })
  })

  test('are refused for a table that is not [E, E]', () => {
    expect(() => companions(both, 5, 10)).toThrow(
      'companions: both must be [E, E], 5 × 5, got a Int32Array of 16',
    )
  })
})
