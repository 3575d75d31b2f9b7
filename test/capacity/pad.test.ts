import fc from 'fast-check'
import {
  applyCapacity,
  groupwise,
  loadOf,
  megatronCapacity,
  padToCapacity,
  padToMultiple,
  probabilityOrder,
  type Routing,
  route,
  streams,
  tokenMajorOrder,
  unroutedTokens,
} from 'moesim'
import { describe, expect, test } from 'vitest'
import { routingOf, routings, rowsOf } from '../routings.js'

/** [T][E] zeros and ones. */
const mapOf = (routing: Routing): number[][] =>
  rowsOf(routing).map((row) =>
    Array.from({ length: routing.numExperts }, (_, e) => (row.includes(e) ? 1 : 0)),
  )

/** The experts of the four tokens that Megatron-LM's pad_routing_map was run on. */
const four = routingOf(8, [
  [3, 0],
  [2, 5],
  [4, 3],
  [0, 1],
])

function expectOnlyFillers(padded: Routing, routing: Routing): void {
  const { topK } = routing
  expect(padded.topK).toBeGreaterThanOrEqual(topK)
  rowsOf(padded).forEach((row, token) => {
    expect(row.slice(0, topK)).toEqual(rowsOf(routing)[token])
    const filled = row.filter((expert) => expert >= 0)
    expect(new Set(filled).size).toBe(filled.length) // no token is twice with an expert
  })
  for (let slot = 0; slot < padded.weights.length; slot++) {
    const [token, k] = [Math.floor(slot / padded.topK), slot % padded.topK]
    expect(padded.weights[slot]).toBe(k < topK ? routing.weights[token * topK + k] : 0)
  }
  expect(unroutedTokens(padded)).toBe(unroutedTokens(routing))
  expect(padded.dropped).toBe(routing.dropped)
}

describe('padToCapacity', () => {
  test('gives every expert exactly C rows, by fillers without weight', () => {
    fc.assert(
      fc.property(routings, fc.nat(25), (routing, capacity) => {
        const kept = applyCapacity(routing, { capacity, order: tokenMajorOrder(routing) })
        const padded = padToCapacity(kept, capacity)
        const load = loadOf(kept)
        const rows = Math.min(capacity, routing.tokens)
        expect([...loadOf(padded)]).toEqual(new Array(routing.numExperts).fill(rows))
        expect([...padded.fillers]).toEqual([...load].map((count) => rows - count))
        expectOnlyFillers(padded, kept)
      }),
    )
  })

  test('takes the first tokens that are not the expert’s own', () => {
    const padded = padToCapacity(routingOf(3, [[0], [0], [1]]), 2)
    expect(rowsOf(padded)).toEqual([
      [0, 1, 2],
      [0, 2, -1],
      [1, -1, -1],
    ])
    expect([...padded.fillers]).toEqual([0, 1, 2])
  })

  test('adds what Megatron-LM adds: experts 6 and 7 to four tokens, at capacity 1', () => {
    const kept = applyCapacity(four, { capacity: 1, order: tokenMajorOrder(four) })
    expect([...padToCapacity(kept, 1).fillers]).toEqual([0, 0, 0, 0, 0, 0, 1, 1])
  })

  test.each([1, 2])('32 tokens of two experts at factor %d fill T · K · factor rows', (factor) => {
    const draws = streams(6)('test').at(0)
    const logits = Float32Array.from({ length: 32 * 8 }, () => draws.normal())
    const config = { numExperts: 8, topK: 2, scoreFunction: 'softmax', normalize: false, scale: 1 } as const
    const routing = route(logits, config)
    const capacity = megatronCapacity(routing, { factor })
    const kept = applyCapacity(routing, { capacity, order: probabilityOrder(routing) })
    const total = (of: Routing): number => loadOf(of).reduce((sum, count) => sum + count, 0)
    expect(total(padToCapacity(kept, capacity))).toBe(64 * factor)
    expect(total(kept)).toBeLessThanOrEqual(64 * factor)
    expect(total(kept)).toBeLessThanOrEqual(64)
  })

  test('is refused of more than the capacity, and of a capacity that is no count', () => {
    expect(() => padToCapacity(four, 1)).toThrow(
      'padToCapacity: expert 0 must have at most 1 assignments, got 2.',
    )
    expect(() => padToCapacity(four, 1.5)).toThrow('padToCapacity: capacity must be a whole number')
    expect(() => padToCapacity(four, Infinity)).toThrow('padToCapacity: capacity must be a whole number')
  })
})

describe('padToMultiple', () => {
  test('fills as Megatron-LM’s pad_routing_map does', () => {
    expect(mapOf(padToMultiple(four, 2))).toEqual([
      [1, 1, 1, 1, 1, 1, 0, 0],
      [0, 0, 1, 0, 0, 1, 0, 0],
      [0, 0, 0, 1, 1, 0, 0, 0],
      [1, 1, 0, 0, 0, 0, 0, 0],
    ])
    expect(mapOf(padToMultiple(four, 4))).toEqual(new Array(4).fill([1, 1, 1, 1, 1, 1, 0, 0]))
  })

  test('leaves every expert with a multiple of rows, or with all tokens, and none where it had none', () => {
    fc.assert(
      fc.property(routings, fc.integer({ min: 1, max: 9 }), (routing, multiple) => {
        const padded = padToMultiple(routing, multiple)
        const before = loadOf(routing)
        loadOf(padded).forEach((rows, e) => {
          expect(rows === routing.tokens || rows % multiple === 0).toBe(true)
          expect(rows - before[e]).toBe(padded.fillers[e])
          expect(padded.fillers[e]).toBeLessThan(multiple)
          if (before[e] === 0) expect(rows).toBe(0)
        })
        expectOnlyFillers(padded, routing)
      }),
    )
  })

  test('a multiple of 1 changes nothing', () => {
    const { fillers, ownSlots, ...rest } = padToMultiple(four, 1)
    expect(rest).toEqual(four)
    expect(ownSlots).toBe(2)
    expect([...fillers]).toEqual(new Array(8).fill(0))
    expect(() => padToMultiple(four, 0)).toThrow('padToMultiple: multiple must be a whole number')
  })
})

describe('a padded routing', () => {
  test('is padded once more as one that is padded once: fillers add up behind the same own slots', () => {
    fc.assert(
      fc.property(routings, fc.integer({ min: 1, max: 5 }), (routing, multiple) => {
        const first = padToMultiple(routing, multiple)
        const twice = padToMultiple(first, 2 * multiple)
        const once = padToMultiple(routing, 2 * multiple)
        expect(loadOf(twice)).toEqual(loadOf(once))
        expect([twice.fillers, twice.ownSlots]).toEqual([once.fillers, once.ownSlots])
        expectOnlyFillers(twice, routing)
      }),
    )
  })

  test('of groups counts the fillers of all of them, and each token keeps its own slots in front', () => {
    fc.assert(
      fc.property(routings, fc.integer({ min: 1, max: 4 }), (routing, groups) => {
        fc.pre(routing.tokens > 0 && routing.tokens % groups === 0)
        // Groups of one width and of two, some padded and some not.
        const padded = groupwise(routing, groups, (part, group) =>
          group % 2 === 0 ? padToCapacity(part, part.tokens) : part,
        )
        expectOnlyFillers(padded, routing)
        const before = loadOf(routing)
        expect([...padded.fillers!]).toEqual([...loadOf(padded)].map((rows, e) => rows - before[e]))
      }),
    )
  })

  test('has its own slots in front where a group chose for more of them', () => {
    const joined = groupwise(four, 2, (part, group) =>
      group === 0
        ? padToCapacity(part, 1)
        : routingOf(8, [
            [1, 2, 3],
            [4, 5, 6],
          ]),
    )
    expect(rowsOf(joined)[0]).toEqual([3, 0, -1, 1, 4, 6, 7])
    expect(rowsOf(joined)[3]).toEqual([4, 5, 6, -1, -1, -1, -1])
    expect(joined.ownSlots).toBe(3)
    expect([...joined.fillers!]).toEqual([0, 1, 0, 0, 1, 0, 1, 1])
  })

  test('is refused by what would take its fillers for tokens', () => {
    const padded = padToCapacity(four, 2)
    const order = tokenMajorOrder(padded)
    expect(() => applyCapacity(padded, { capacity: 1, order })).toThrow(
      /applyCapacity: the routing must have no fillers, got .*\. Pad last\./,
    )
    expect(() => groupwise(padded, 2, (part) => part)).toThrow('groupwise: the routing must have no fillers')
  })
})
