import fc from 'fast-check'
import {
  applyCapacity,
  batchPrioritizedOrder,
  choiceMajorOrder,
  InputError,
  largestLoad,
  loadOf,
  megatronCapacity,
  megatronRankCapacity,
  padToCapacity,
  probabilityOrder,
  type Routing,
  randomOrder,
  renormalize,
  route,
  streams,
  tokenMajorOrder,
  unroutedTokens,
} from 'moesim'
import { describe, expect, test } from 'vitest'
import { routingOf, routings, rowsOf } from '../routings.js'

type Order = (routing: Routing) => Int32Array

const orders = fc.constantFrom<Order>(
  tokenMajorOrder,
  choiceMajorOrder,
  probabilityOrder,
  batchPrioritizedOrder,
  (routing) => randomOrder(routing, streams(5)('capacity')),
)
const capacities = fc.oneof(fc.integer({ min: 0, max: 12 }), fc.constant(Infinity))
const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + value, 0)

describe('laws of a capacity', () => {
  test('no expert takes more than it, and what is kept and dropped is all there was', () => {
    fc.assert(
      fc.property(routings, orders, capacities, fc.nat(9), (routing, order, capacity, before) => {
        const kept = applyCapacity({ ...routing, dropped: before }, { capacity, order: order(routing) })
        const load = loadOf(kept)
        expect(Math.max(...load)).toBeLessThanOrEqual(capacity)
        expect(sum(load) + kept.dropped).toBe(sum(loadOf(routing)) + before)
        // An expert that refused someone is full.
        loadOf(routing).forEach((wanted, e) => expect(load[e]).toBe(Math.min(wanted, capacity)))
      }),
    )
  })

  test('a kept slot keeps its place and weight, a refused one is empty with weight 0', () => {
    fc.assert(
      fc.property(routings, orders, capacities, (routing, order, capacity) => {
        const untouched = structuredClone(routing)
        const kept = applyCapacity(routing, { capacity, order: order(routing) })
        expect(routing).toEqual(untouched)
        kept.experts.forEach((expert, slot) => {
          const stays = expert >= 0
          expect(expert).toBe(stays ? routing.experts[slot] : -1)
          expect(kept.weights[slot]).toBe(stays ? routing.weights[slot] : 0)
        })
      }),
    )
  })

  test('a larger capacity never drops more, and keeps whoever a smaller one kept', () => {
    fc.assert(
      fc.property(routings, orders, fc.nat(9), fc.nat(9), (routing, order, small, more) => {
        const [less, larger] = [small, small + more].map((capacity) =>
          applyCapacity(routing, { capacity, order: order(routing) }),
        )
        expect(larger.dropped).toBeLessThanOrEqual(less.dropped)
        less.experts.forEach((expert, slot) => {
          if (expert >= 0) expect(larger.experts[slot]).toBe(expert)
        })
      }),
    )
  })

  test('the largest load drops nothing, and one less drops something', () => {
    fc.assert(
      fc.property(routings, orders, (routing, order) => {
        const most = largestLoad(routing)
        expect(applyCapacity(routing, { capacity: most, order: order(routing) })).toEqual(routing)
        if (most === 0) return
        expect(applyCapacity(routing, { capacity: most - 1, order: order(routing) }).dropped).toBeGreaterThan(
          0,
        )
      }),
    )
  })

  test('a capacity applied again drops nothing more', () => {
    fc.assert(
      fc.property(routings, orders, capacities, (routing, order, capacity) => {
        const once = applyCapacity(routing, { capacity, order: order(routing) })
        expect(applyCapacity(once, { capacity, order: order(once) })).toEqual(once)
      }),
    )
  })

  test('first come: no token is refused by an expert that takes a later one of the same choice', () => {
    fc.assert(
      fc.property(
        routings,
        fc.constantFrom<Order>(tokenMajorOrder, choiceMajorOrder),
        fc.nat(9),
        (routing, order, capacity) => {
          const kept = rowsOf(applyCapacity(routing, { capacity, order: order(routing) }))
          const wanted = rowsOf(routing)
          for (let k = 0; k < routing.topK; k++) {
            const refused = new Set<number>()
            wanted.forEach((row, token) => {
              if (kept[token][k] === -1) refused.add(row[k])
              else expect(refused.has(row[k])).toBe(false)
            })
          }
        },
      ),
    )
  })

  test('by probability: an expert refuses no weight above one that it takes', () => {
    fc.assert(
      fc.property(routings, fc.nat(9), (routing, capacity) => {
        const kept = applyCapacity(routing, { capacity, order: probabilityOrder(routing) })
        const least = new Float64Array(routing.numExperts).fill(Infinity)
        kept.experts.forEach((expert, slot) => {
          if (expert >= 0) least[expert] = Math.min(least[expert], kept.weights[slot])
        })
        routing.experts.forEach((expert, slot) => {
          if (expert >= 0 && kept.experts[slot] < 0)
            expect(routing.weights[slot]).toBeLessThanOrEqual(least[expert])
        })
      }),
    )
  })
})

describe('applyCapacity', () => {
  // softmax after top-2 of the logits of four tokens; Megatron-LM was run on them.
  const logits = Float32Array.from(
    [
      [1.0, -0.5, 0.3, 2.0, -1.2, 0.7, 0.0, 0.9],
      [-0.3, 0.8, 1.5, -0.7, 0.4, 1.1, 0.2, -1.0],
      [0.6, 0.1, -0.9, 1.3, 1.8, -0.2, 0.5, -0.4],
      [2.2, 1.9, 0.0, -0.6, 0.3, 0.8, -1.1, 1.4],
    ].flat(),
  )
  const routing = route(logits, {
    numExperts: 8,
    topK: 2,
    scoreFunction: 'softmax',
    softmaxOrder: 'afterTopK',
    normalize: false,
    scale: 1,
  })

  test('keeps what Megatron-LM keeps of four tokens', () => {
    for (const factor of [0.5, 1]) {
      const capacity = megatronCapacity(routing, { factor })
      expect(capacity).toBe(1)
      const kept = applyCapacity(routing, { capacity, order: probabilityOrder(routing) })
      expect(rowsOf(kept)).toEqual([
        [3, -1],
        [2, 5],
        [4, -1],
        [0, 1],
      ])
      expect(kept.dropped).toBe(2)
      expect(unroutedTokens(kept)).toBe(0)
    }
    const capacity = megatronCapacity(routing, { factor: 2 })
    expect(capacity).toBe(2)
    expect(applyCapacity(routing, { capacity, order: probabilityOrder(routing) })).toEqual(routing)
  })

  test('serves by probability, by arrival and by rank of choice, each otherwise', () => {
    const one = routingOf(
      2,
      [
        [1, 0],
        [0, 1],
        [0, 1],
      ],
      [
        [0.6, 0.4],
        [0.5, 0.3],
        [0.9, 0.1],
      ],
    )
    const kept = (order: Order) => rowsOf(applyCapacity(one, { capacity: 1, order: order(one) })).flat()
    expect(kept(tokenMajorOrder)).toEqual([1, 0, -1, -1, -1, -1])
    expect(kept(choiceMajorOrder)).toEqual([1, -1, 0, -1, -1, -1])
    expect(kept(probabilityOrder)).toEqual([1, -1, -1, -1, 0, -1])
    expect(kept(batchPrioritizedOrder)).toEqual([1, -1, -1, -1, 0, -1])
  })

  test('a rank’s experts can share what the rank has room for', () => {
    const rows = [[0], [0], [1], [2], [3]]
    const four = routingOf(4, rows)
    const order = tokenMajorOrder(four)
    const capacity = megatronRankCapacity(four, { factor: 1, ranks: 2 })
    expect(capacity).toBe(2)
    const kept = applyCapacity(four, { capacity, order, ranks: 2 })
    expect(rowsOf(kept)).toEqual([[0], [0], [-1], [2], [3]])
    expect(kept.dropped).toBe(1)
    expect(applyCapacity(four, { capacity: 4, order, ranks: 1 }).dropped).toBe(1)
  })

  test('an order of one’s own is a permutation and no more', () => {
    const one = routingOf(1, [[0], [0], [0]])
    const backwards = tokenMajorOrder(one).reverse()
    expect(rowsOf(applyCapacity(one, { capacity: 1, order: backwards }))).toEqual([[-1], [-1], [0]])
  })

  test.each([-1, 1.5, Number.NaN, -Infinity])('refuses a capacity of %d', (capacity) => {
    expect(() => applyCapacity(routing, { capacity, order: tokenMajorOrder(routing) })).toThrow(InputError)
  })

  test.each([
    ['too few slots', [0, 1, 2]],
    ['a slot twice', [0, 1, 2, 3, 4, 5, 6, 6]],
    ['a slot twice beside all others', [0, 1, 2, 3, 4, 5, 6, 7, 7]],
    ['a slot that is not there', [0, 1, 2, 3, 4, 5, 6, 8]],
  ])('refuses an order with %s', (_, order) => {
    expect(() => applyCapacity(routing, { capacity: 1, order: Int32Array.from(order) })).toThrow(
      'applyCapacity: order must name every filled slot once',
    )
  })

  test('refuses an order that serves an empty slot', () => {
    const half = routingOf(2, [[0, -1]])
    expect(() => applyCapacity(half, { capacity: 1, order: Int32Array.of(0, 1) })).toThrow('order must name')
  })

  test('refuses ranks that do not divide the experts', () => {
    const order = tokenMajorOrder(routing)
    expect(() => applyCapacity(routing, { capacity: 1, order, ranks: 3 })).toThrow('ranks must divide')
    expect(() => applyCapacity(routing, { capacity: 1, order, ranks: 16 })).toThrow(
      'ranks must be a whole number',
    )
  })
})

describe('renormalize', () => {
  test('makes up for what was dropped, and leaves a token without experts at 0', () => {
    const kept = routingOf(
      4,
      [
        [0, -1],
        [1, 2],
        [-1, -1],
      ],
      [
        [0.25, 0],
        [0.3, 0.1],
        [0, 0],
      ],
    )
    const { weights, experts } = renormalize(kept, { scale: 2.5 })
    expect([...weights]).toEqual([2.5, 0, Math.fround(1.875), Math.fround(0.625), 0, 0])
    expect(experts).toEqual(kept.experts)
    expect(renormalize(kept).weights[0]).toBe(1)
  })

  test('sums below the clamp are divided by the clamp', () => {
    const small = routingOf(2, [[0, 1]], [[2 ** -25, 2 ** -25]])
    expect([...renormalize(small).weights]).toEqual([0.25, 0.25])
    expect([...renormalize(small, { clamp: 2 ** -24 }).weights]).toEqual([0.5, 0.5])
    expect([...renormalize(small, { clamp: 1 }).weights]).toEqual([2 ** -25, 2 ** -25])
  })

  test('is refused a scale or clamp that makes no weights', () => {
    const any = routingOf(2, [[0, 1]])
    expect(() => renormalize(any, { scale: Number.NaN })).toThrow('renormalize: scale must be')
    expect(() => renormalize(any, { clamp: 0 })).toThrow('renormalize: clamp must be')
    expect(() => renormalize(any, { clamp: Infinity })).toThrow('renormalize: clamp must be')
  })
})

describe('dropped assignments and unrouted tokens are two numbers', () => {
  test('a token is unrouted when nothing of it is left', () => {
    const one = routingOf(2, [
      [0, 1],
      [0, 1],
      [0, -1],
    ])
    const kept = applyCapacity(one, { capacity: 1, order: tokenMajorOrder(one) })
    expect(rowsOf(kept)).toEqual([
      [0, 1],
      [-1, -1],
      [-1, -1],
    ])
    expect([kept.dropped, unroutedTokens(kept)]).toEqual([3, 2])
    expect(unroutedTokens(one)).toBe(0)
    expect(unroutedTokens(routingOf(2, []))).toBe(0)
  })

  test('a slot is filled whatever its weight, and a filler is no expert of its token', () => {
    const weightless = routingOf(2, [[0], [1]], [[0], [1]])
    expect(unroutedTokens(weightless)).toBe(0)
    const kept = applyCapacity(weightless, { capacity: 0, order: tokenMajorOrder(weightless) })
    expect(unroutedTokens(padToCapacity(kept, 1))).toBe(2)
  })

  test('padding could go nowhere: it is not counted where the routing tells its scores', () => {
    const scores = Float32Array.of(-Infinity, -Infinity, 0.5, -Infinity, 0.5, 0.5)
    const rows = routingOf(2, [[-1], [-1], [1]])
    expect(unroutedTokens({ ...rows, scores })).toBe(1)
    expect(unroutedTokens(rows)).toBe(2)
  })

  test('there are never more than dropped, nor more than dropped / K if all slots were filled', () => {
    fc.assert(
      fc.property(routings, orders, capacities, (routing, order, capacity) => {
        const full = { ...routing, tokens: routing.experts.includes(-1) ? 0 : routing.tokens }
        const kept = applyCapacity(routing, { capacity, order: order(routing) })
        expect(unroutedTokens(kept) - unroutedTokens(routing)).toBeLessThanOrEqual(kept.dropped)
        if (full.tokens > 0) expect(unroutedTokens(kept)).toBeLessThanOrEqual(kept.dropped / routing.topK)
      }),
    )
  })
})
