import fc from 'fast-check'
import { loadOf } from 'moesim'
import { describe, expect, test } from 'vitest'
import { chosen, routingOf, routings } from '../routings.js'

describe('the load of a routing', () => {
  test('counts filled slots, and experts that nobody chose as 0', () => {
    const routing = routingOf(4, [
      [3, 0],
      [-1, -1],
      [0, -1],
    ])
    expect(loadOf(routing)).toEqual(Int32Array.of(2, 0, 0, 1))
    expect(loadOf(routingOf(3, []))).toEqual(new Int32Array(3))
  })

  test('sums to the filled slots: nothing is lost', () => {
    fc.assert(
      fc.property(routings, (routing) => {
        const filled = chosen(routing).flat()
        const load = loadOf(routing)
        expect(load.reduce((sum, count) => sum + count, 0)).toBe(filled.length)
        load.forEach((count, e) => expect(count).toBe(filled.filter((expert) => expert === e).length))
      }),
    )
  })
})
