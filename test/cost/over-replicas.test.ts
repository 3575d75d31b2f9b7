import fc from 'fast-check'
import { contiguousRanks, hardware, loadOf, moeLayerCost, overReplicas, placeExperts } from 'moesim'
import { expect, test } from 'vitest'
import { routingOf, routings } from '../routings.js'

test('each assignment goes to a copy of its expert, and copies share the load to within one', () => {
  fc.assert(
    fc.property(routings, fc.integer({ min: 0, max: 8 }), (routing, spare) => {
      const load = loadOf(routing)
      const placement = placeExperts(load, { replicas: routing.numExperts + spare, ranks: 1 })
      const moved = overReplicas(routing, placement)
      expect(moved.numExperts).toBe(routing.numExperts + spare)
      expect(moved.scores).toBeUndefined()
      for (const [slot, place] of moved.experts.entries()) {
        expect(place < 0 ? place : placement.experts[place]).toBe(routing.experts[slot])
      }
      for (const [place, count] of loadOf(moved).entries()) {
        const expert = placement.experts[place]
        expect(Math.abs(count - load[expert] / placement.replicaCount[expert])).toBeLessThan(1)
      }
    }),
  )
})

test('a second copy of the busy expert halves the wait', () => {
  const routing = routingOf(3, [[0], [0], [0], [0]])
  const placement = placeExperts(loadOf(routing), { replicas: 4, ranks: 2 })
  const moved = overReplicas(routing, placement)
  const map = { ranks: 2, expertRank: contiguousRanks(4, 2), tokenRank: contiguousRanks(4, 2) }
  const shape = { width: 8, expertWidth: 8, gated: false, weights: 'fp8', activations: 'fp8' } as const
  const cost = moeLayerCost(moved, {
    ...shape,
    map,
    hardware: hardware.h200,
    dispatch: 'fp8',
    combine: 'bf16',
  })
  expect([...cost.load]).toEqual([2, 2])
  expect(cost.stragglerFactor).toBe(1)
})

test('a placement of other experts is refused', () => {
  const placement = placeExperts([1, 2], { replicas: 2, ranks: 1 })
  expect(() => overReplicas(routingOf(3, [[0]]), placement)).toThrow(
    'must be of the 3 experts of the routing, got 2',
  )
})
