import fc from 'fast-check'
import { choiceMajorOrder, dispatchOrder, loadOf } from 'moesim'
import { describe, expect, test } from 'vitest'
import { routingOf, routings } from '../routings.js'

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
