import fc from 'fast-check'
import { agreement, differingTokens, InputError, padToCapacity, type Routing } from 'moesim'
import { describe, expect, test } from 'vitest'
import { chosen, routingOf, routings } from '../routings.js'

describe('agreement', () => {
  test('of four tokens, worked out by hand', () => {
    const a = routingOf(
      4,
      [
        [0, 1],
        [2, 3],
        [0, 2],
        [3, 1],
      ],
      [
        [0.5, 0.5],
        [0.75, 0.25],
        [0.5, 0.5],
        [0.5, 0.5],
      ],
    )
    const b = routingOf(
      4,
      [
        [1, 0], // the same set
        [2, 0], // one other expert
        [1, 3], // two others
        [3, 1],
      ],
      [
        [0.625, 0.375],
        [0.5, 0.5],
        [0.5, 0.5],
        [0.5, 0.5],
      ],
    )
    expect(agreement(a, b)).toEqual({
      tokens: 4,
      differingTokens: 2,
      differingTokenShare: 0.5,
      differingSlotShare: 3 / 8,
      largestWeightDifference: 0.25, // expert 2 of token 1: those that only one chooses do not count
    })
  })

  test('of a routing with itself is complete, whatever the order of its slots', () => {
    fc.assert(
      fc.property(routings, (routing) => {
        const { tokens, topK } = routing
        const backwards = <A extends Int32Array | Float32Array>(array: A): A =>
          array.map((_, slot) => array[slot - (slot % topK) + topK - 1 - (slot % topK)]) as A
        const reversed = {
          ...routing,
          experts: backwards(routing.experts),
          weights: backwards(routing.weights),
        }
        for (const other of [routing, reversed]) {
          expect(agreement(routing, other)).toEqual({
            tokens,
            differingTokens: 0,
            differingTokenShare: 0,
            differingSlotShare: 0,
            largestWeightDifference: 0,
          })
        }
      }),
    )
  })

  test('counts the tokens whose sets differ, the same from either side', () => {
    fc.assert(
      fc.property(routings, routings, (a, b) => {
        const tokens = Math.min(a.tokens, b.tokens)
        const [first, second] = [a, b].map((routing) => ({
          ...routing,
          tokens,
          experts: routing.experts.subarray(0, tokens * routing.topK),
          weights: routing.weights.subarray(0, tokens * routing.topK),
        }))
        const sets = [first, second].map((routing) => chosen(routing).map((row) => row.sort().join()))
        const differing = sets[0].filter((set, token) => set !== sets[1][token]).length
        expect(agreement(first, second).differingTokens).toBe(differing)
        expect(agreement(second, first).differingTokens).toBe(differing)
        const which = sets[0].flatMap((set, token) => (set === sets[1][token] ? [] : [token]))
        expect([...differingTokens(first, second)]).toEqual(which)
      }),
    )
  })

  test('of a choice and a wider one: nothing of the narrow one is missing, and every set differs', () => {
    const narrow = routingOf(4, [[2], [0]], [[1], [1]])
    const wide = routingOf(
      4,
      [
        [1, 2],
        [0, 3],
      ],
      [
        [0.5, 0.5],
        [1, 0],
      ],
    )
    expect(agreement(narrow, wide)).toMatchObject({
      differingTokens: 2,
      differingSlotShare: 0,
      largestWeightDifference: 0.5,
    })
    expect(agreement(wide, narrow)).toMatchObject({ differingTokens: 2, differingSlotShare: 0.5 })
  })

  test('takes empty slots as no choice', () => {
    const padded = routingOf(4, [
      [1, -1],
      [-1, -1],
    ])
    expect(agreement(padded, routingOf(4, [[1], [-1]])).differingTokens).toBe(0)
    expect(agreement(padded, routingOf(4, [[1], [0]]))).toMatchObject({
      differingTokens: 1,
      differingTokenShare: 0.5,
      differingSlotShare: 0,
    })
    const empty = routingOf(4, [[-1], [-1]])
    expect(agreement(empty, padded)).toMatchObject({ differingTokens: 1, differingSlotShare: 0 })
  })

  test('shows a weight that is not a number', () => {
    const [a, b] = [[[1]], [[Number.NaN]]].map((weights) => routingOf(2, [[0]], weights))
    expect(agreement(a, b).largestWeightDifference).toBeNaN()
  })

  test('leaves fillers out', () => {
    const kept = routingOf(4, [[0], [0], [1], [3]])
    const padded = padToCapacity(kept, 3)
    expect(padded.topK).toBeGreaterThan(1)
    expect(agreement(kept, padded)).toEqual(agreement(kept, kept))
    expect(agreement(padded, kept)).toEqual(agreement(kept, kept))
  })

  test.each<[string, Partial<Routing>]>([
    ['experts must be from 0 to 3, or −1, each once a token, got 1', { experts: Int32Array.of(1, 1, 2, -1) }],
    ['experts must be from 0 to 3, or −1, each once a token, got 4', { experts: Int32Array.of(0, 1, 4, 2) }],
    [
      'experts must be from 0 to 3, or −1, each once a token, got -2',
      { experts: Int32Array.of(0, -2, 1, 2) },
    ],
    [
      'experts and weights must be [T, K], 2 × 2 of each, got "3 experts and 4 weights"',
      { experts: new Int32Array(3) },
    ],
    [
      'experts and weights must be [T, K], 2 × 2 of each, got "4 experts and 1 weights"',
      { weights: new Float32Array(1) },
    ],
  ])('is refused of what is no choice: %s', (message, change) => {
    const good = routingOf(4, [
      [0, 1],
      [2, 3],
    ])
    const odd = { ...good, ...change }
    expect(() => agreement(good, odd)).toThrow(`agreement: ${message}`)
    expect(() => differingTokens(odd, good)).toThrow(`agreement: ${message}`)
  })

  test('of other tokens is refused', () => {
    const [one, two] = [routingOf(2, [[0]]), routingOf(2, [[0], [1]])]
    expect(() => agreement(one, two)).toThrow(InputError)
    expect(() => agreement(one, two)).toThrow(
      'agreement: both routings must be of the same tokens, 1, got 2. Route the same batch twice.',
    )
  })
})
