import fc from 'fast-check'
import {
  applyCapacity,
  choiceMajorOrder,
  dispatchOrder,
  groupwise,
  loadOf,
  type Routing,
  tokenMajorOrder,
} from 'moesim'
import { describe, expect, test } from 'vitest'
import { routingOf, routings, rowsOf } from './routings.js'

describe('dispatchOrder', () => {
  test('is expert-major, and by token within an expert', () => {
    fc.assert(
      fc.property(routings, (routing) => {
        const { slots, offsets } = dispatchOrder(routing)
        const byHand = [...routing.experts.keys()]
          .filter((slot) => routing.experts[slot] >= 0)
          .sort((a, b) => routing.experts[a] - routing.experts[b] || a - b)
        expect([...slots]).toEqual(byHand)
        expect(offsets[0]).toBe(0)
        loadOf(routing).forEach((count, e) => expect(offsets[e + 1] - offsets[e]).toBe(count))
        expect(offsets[routing.numExperts]).toBe(slots.length)
      }),
    )
  })

  test('gathered and combined, each token is the sum of its weights times itself', () => {
    fc.assert(
      fc.property(routings, (routing) => {
        const { topK, tokens, weights } = routing
        const { slots } = dispatchOrder(routing)
        const rows = Array.from(slots, (slot) => 1 + Math.floor(slot / topK)) // token t has the value 1 + t
        const combined = new Float64Array(tokens)
        slots.forEach((slot, row) => {
          combined[Math.floor(slot / topK)] += weights[slot] * rows[row]
        })
        combined.forEach((value, token) => {
          const own = weights
            .subarray(token * topK, (token + 1) * topK)
            .reduce((sum, weight) => sum + weight, 0)
          expect(value).toBeCloseTo((1 + token) * own, 5)
        })
      }),
    )
  })

  test('takes another order within an expert', () => {
    const routing = routingOf(2, [
      [1, 0],
      [0, 1],
    ])
    expect([...dispatchOrder(routing).slots]).toEqual([1, 2, 0, 3])
    expect([...dispatchOrder(routing, choiceMajorOrder(routing)).slots]).toEqual([2, 1, 0, 3])
  })

  test('of no tokens is no rows', () => {
    expect(dispatchOrder(routingOf(2, []))).toEqual({ slots: new Int32Array(), offsets: new Int32Array(3) })
  })
})

describe('groupwise', () => {
  const bounded =
    (capacity: number) =>
    (part: Routing): Routing =>
      applyCapacity(part, { capacity, order: tokenMajorOrder(part) })
  const four = routingOf(2, [[0], [0], [0], [1]])

  test('gives every group of tokens a capacity of its own', () => {
    expect(rowsOf(groupwise(four, 2, bounded(1)))).toEqual([[0], [-1], [0], [1]])
    expect(groupwise(four, 2, bounded(1)).dropped).toBe(1)
    expect(groupwise(four, 1, bounded(1))).toEqual(bounded(1)(four))
    expect(groupwise(four, 4, bounded(1))).toEqual(four)
  })

  test('loses nothing, and counts what was dropped before once', () => {
    const total = (routing: Routing): number =>
      routing.dropped + loadOf(routing).reduce((sum, n) => sum + n, 0)
    fc.assert(
      fc.property(routings, fc.integer({ min: 1, max: 5 }), fc.nat(4), (routing, groups, capacity) => {
        fc.pre(routing.tokens > 0 && routing.tokens % groups === 0)
        const before = { ...routing, dropped: 7 }
        expect(total(groupwise(before, groups, bounded(capacity)))).toBe(total(before))
        expect(groupwise(before, groups, (part) => part)).toEqual(before)
      }),
    )
  })

  test('rows of groups that became wider are joined at the widest', () => {
    const joined = groupwise(four, 2, (part, group) =>
      group === 0
        ? part
        : routingOf(2, [
            [0, 1],
            [1, 0],
          ]),
    )
    expect(rowsOf(joined)).toEqual([
      [0, -1],
      [0, -1],
      [0, 1],
      [1, 0],
    ])
    expect([...joined.weights]).toEqual([1, 0, 1, 0, 1, 0.5, 1, 0.5])
  })

  test('takes no tokens, and refuses groups that are not of one size', () => {
    const none = routingOf(2, [])
    expect(groupwise(none, 1, bounded(1))).toEqual(none)
    expect(() => groupwise(four, 3, bounded(1))).toThrow('groupwise: groups must divide the 4 tokens')
    expect(() => groupwise(four, 5, bounded(1))).toThrow(
      'groupwise: groups must be a whole number from 1 to 4',
    )
  })
})
