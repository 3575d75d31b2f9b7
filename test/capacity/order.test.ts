import fc from 'fast-check'
import {
  batchPrioritizedOrder,
  choiceMajorOrder,
  groupwise,
  probabilityOrder,
  type Routing,
  randomOrder,
  streams,
  tokenMajorOrder,
} from 'moesim'
import { describe, expect, test } from 'vitest'
import { routingOf, routings } from '../routings.js'

const draws = () => streams(1)('capacity')

const orders: [name: string, order: (routing: Routing) => Int32Array][] = [
  ['tokenMajorOrder', tokenMajorOrder],
  ['choiceMajorOrder', choiceMajorOrder],
  ['probabilityOrder', probabilityOrder],
  ['batchPrioritizedOrder', batchPrioritizedOrder],
  ['randomOrder', (routing) => randomOrder(routing, draws())],
]

const example = routingOf(
  3,
  [
    [0, 1],
    [-1, 2],
    [1, 0],
  ],
  [
    [0.5, 0.25],
    [0, 0.75],
    [0.5, 0.5],
  ],
)

describe('orders of service', () => {
  test.each(orders)('%s is a permutation of the filled slots', (_, order) => {
    fc.assert(
      fc.property(routings, (routing) => {
        const filled = [...routing.experts.keys()].filter((slot) => routing.experts[slot] >= 0)
        expect([...order(routing)].sort((a, b) => a - b)).toEqual(filled)
      }),
    )
  })

  test('token-major serves a token’s choices together', () => {
    expect([...tokenMajorOrder(example)]).toEqual([0, 1, 3, 4, 5])
  })

  test('choice-major serves all first choices, then all second ones', () => {
    expect([...choiceMajorOrder(example)]).toEqual([0, 4, 1, 3, 5])
  })

  test('by probability, the largest weight is first and ties go to the earlier token', () => {
    expect([...probabilityOrder(example)]).toEqual([3, 0, 4, 5, 1])
  })

  test('batch-prioritised is choice-major, tokens in the order of their largest weight', () => {
    expect([...batchPrioritizedOrder(example)]).toEqual([0, 4, 3, 1, 5])
    const reversed = { ...example, weights: Float32Array.of(0.1, 0, 0, 0.3, 0.2, 0) }
    expect([...batchPrioritizedOrder(reversed)]).toEqual([4, 0, 3, 5, 1])
  })

  test('weights that were normalised take the order of the raw ones', () => {
    // Raw gates 0.3 + 0.1 and 0.4 + 0.4: the second token comes first, although its normalised 0.5 is below 0.75.
    const rows = [
      [0, 1],
      [0, 1],
    ]
    const raw = routingOf(2, rows, [
      [0.3, 0.1],
      [0.4, 0.4],
    ])
    const normalized = routingOf(2, rows, [
      [0.75, 0.25],
      [0.5, 0.5],
    ])
    expect([...batchPrioritizedOrder(raw)]).toEqual([2, 0, 3, 1])
    expect([...batchPrioritizedOrder(normalized)]).toEqual([0, 2, 1, 3])
  })

  test('random: the same draws give the same order, each assignment has its own, and any may come first', () => {
    const routing = routingOf(2, new Array(40).fill([0, 1]))
    const first = randomOrder(routing, draws())
    expect(randomOrder(routing, draws())).toEqual(first)
    expect(randomOrder(routing, streams(2)('capacity'))).not.toEqual(first)
    const leaders = Array.from(
      { length: 400 },
      (_, step) => randomOrder(routing, streams(3)('x', 0, step))[0],
    )
    const counts = new Map<number, number>()
    for (const slot of leaders) counts.set(slot % 8, (counts.get(slot % 8) ?? 0) + 1)
    for (let i = 0; i < 8; i++) expect(Math.abs(counts.get(i)! - 50)).toBeLessThan(4 * Math.sqrt(50))
  })

  test('random: a token of a part draws what it draws in the whole batch, so that no two groups draw the same', () => {
    const routing = routingOf(2, new Array(64).fill([0, 1]))
    const orders: number[][] = []
    groupwise(routing, 4, (part, group) => {
      orders.push([...randomOrder(part, draws(), group * part.tokens)])
      return part
    })
    const whole = [...randomOrder(routing, draws())]
    orders.forEach((order, group) => {
      const own = whole.filter((slot) => Math.floor(slot / 32) === group)
      expect(order).toEqual(own.map((slot) => slot - 32 * group))
    })
    expect(orders[1]).not.toEqual(orders[0])
    expect(() => randomOrder(routing, draws(), -1)).toThrow('randomOrder: firstToken must be a whole number')
  })

  test('random: what one token draws does not depend on what the others chose', () => {
    const rows = [[0], [0], [0], [0], [0], [0]]
    const whole = randomOrder(routingOf(1, rows), draws())
    const without = randomOrder(routingOf(1, [[0], [-1], [0], [-1], [0], [0]]), draws())
    expect([...without]).toEqual([...whole].filter((slot) => slot !== 1 && slot !== 3))
  })
})
