import fc from 'fast-check'
import { applyCapacity, groupwise, loadOf, type Routing, tokenMajorOrder } from 'moesim'
import { describe, expect, test } from 'vitest'
import { routingOf, routings, rowsOf } from '../routings.js'

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

  test('hands each group its own scores, and joins them again', () => {
    const scores = Float32Array.from({ length: 8 }, (_, i) => i)
    const seen: number[][] = []
    const joined = groupwise({ ...four, scores }, 2, (part) => {
      seen.push([...part.scores!])
      return part
    })
    expect(seen).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
    ])
    expect(joined.scores).toEqual(scores)
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
