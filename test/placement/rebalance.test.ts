import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import {
  alignRanks,
  linearPlacement,
  migrationOf,
  type Placement,
  placeExperts,
  placementOf,
  preserveSlots,
  randomPlacement,
  rankLoads,
  readTrainingLoad,
  rebalance,
  roundRobinPlacement,
  stragglerFactor,
  streams,
} from 'moesim'
import { describe, expect, test } from 'vitest'
import { placed } from './clusters.js'

describe('placements by hand', () => {
  test('placementOf counts replicas in the order of their slots', () => {
    const { experts, replicaRank, replicaCount } = placementOf([2, 0, 2, 1, 2], 3)
    expect([[...experts], [...replicaRank], [...replicaCount]]).toEqual([
      [2, 0, 2, 1, 2],
      [0, 0, 1, 0, 2],
      [1, 1, 3],
    ])
    expect(() => placementOf([0, 2], 3)).toThrow(
      'every expert must have a slot, got an array of 2. Expert 1 has',
    )
    expect(() => placementOf([0, 3], 3)).toThrow(
      'the expert in slot 1 must be a whole number from 0 to 2, got 3',
    )
    expect(() => placementOf([], 0)).toThrow('numExperts must be a whole number from 1')
  })

  test('linear and round robin place as vLLM does, spare slots from the first expert again', () => {
    const load = [1, 2, 3, 4, 5, 6]
    expect([...linearPlacement(load, { replicas: 8, ranks: 2 }).experts]).toEqual([0, 1, 2, 3, 4, 5, 0, 1])
    expect([...roundRobinPlacement(load, { replicas: 6, ranks: 3 }).experts]).toEqual([0, 3, 1, 4, 2, 5])
    expect([...roundRobinPlacement(load, { replicas: 8, ranks: 2 }).experts]).toEqual([
      0, 2, 4, 0, 1, 3, 5, 1,
    ])
  })

  test('a replica takes an equal share of its expert’s load; ranks and nodes are sums of slots', () => {
    const placement = placementOf([0, 1, 0, 2, 0, 1, 2, 3], 4)
    const load = [30, 8, 6, 5]
    expect([...rankLoads(load, placement, 4)]).toEqual([14, 13, 14, 8])
    expect([...rankLoads(load, placement, 2)]).toEqual([27, 22])
    expect(stragglerFactor(load, placement, 4)).toBeCloseTo((14 * 4) / 49, 12)
    expect(stragglerFactor([0, 0, 0, 0], placement, 4)).toBe(1)
    expect(() => rankLoads([1], placement, 4)).toThrow('load must hold 4 values')
    expect(() => rankLoads(load, placement, 3)).toThrow('ranks must divide the 8 slots, got 3')
    expect(() => rankLoads(load, placement, 0)).toThrow('ranks must be a whole number from 1 to 8')
  })
})

describe('migration', () => {
  const before = placementOf([0, 1, 2, 3, 0, 4], 5)
  const after = placementOf([1, 0, 4, 2, 0, 3], 5)

  test('counts slots that get another expert, and those whose rank did not have it', () => {
    expect(migrationOf(before, after, { ranks: 2, expertBytes: 1000 })).toEqual({
      movedReplicas: 5,
      movedBytes: 5000,
      receivedReplicas: 2, // expert 4 to the first rank, expert 2 to the second
      receivedBytes: 2000,
    })
  })

  test('with slots preserved only what a rank did not have moves', () => {
    const arranged = preserveSlots(before, after, { ranks: 2 })
    expect([...arranged.experts]).toEqual([0, 1, 4, 3, 0, 2])
    expect(migrationOf(before, arranged, { ranks: 2, expertBytes: 1000 })).toMatchObject({
      movedReplicas: 2,
      receivedReplicas: 2,
    })
  })

  test('with ranks aligned, two ranks that changed places move nothing', () => {
    const swapped = placementOf([0, 4, 3, 2, 1, 0], 5)
    const arranged = alignRanks(before, swapped, { ranks: 2, nodes: 1 })
    expect(arranged.experts).toEqual(before.experts)
    const nodes = alignRanks(placementOf([0, 1, 2, 3], 4), placementOf([3, 2, 0, 1], 4), {
      ranks: 4,
      nodes: 2,
    })
    expect([...nodes.experts]).toEqual([0, 1, 2, 3])
    const [old, fresh] = [placementOf([0, 1, 2, 3, 4, 5], 6), placementOf([4, 3, 1, 5, 2, 0], 6)]
    expect([...alignRanks(old, fresh, { ranks: 6, nodes: 1 }).experts]).toEqual([0, 1, 2, 3, 4, 5])
    expect([...alignRanks(old, fresh, { ranks: 6, nodes: 2 }).experts]).toEqual([0, 5, 2, 3, 4, 1]) // experts do not change nodes
  })

  test.each([
    [{ ranks: 4, expertBytes: 1 }, 'ranks must divide the 6 slots, got 4'],
    [{ ranks: 0, expertBytes: 1 }, 'ranks must be a whole number from 1 to 6'],
    [{ ranks: 2, expertBytes: -1 }, 'expertBytes must be at least 0, got -1'],
    [{ ranks: 2, expertBytes: Number.POSITIVE_INFINITY }, 'expertBytes must be at least 0, got Infinity'],
  ])('%j is refused', (options, message) => {
    expect(() => migrationOf(before, after, options)).toThrow(`migrationOf: ${message}`)
  })

  test('placements of other sizes and nodes that do not fit are refused', () => {
    expect(() => preserveSlots(before, placementOf([0, 1], 2), { ranks: 2 })).toThrow('must have 6 slots')
    expect(() => alignRanks(before, after, { ranks: 3, nodes: 2 })).toThrow(
      'nodes must divide ranks = 3, got 2',
    )
    expect(() => alignRanks(before, after, { ranks: 3, nodes: 0 })).toThrow('nodes must be a whole number')
  })

  /** The experts and replica numbers of each rank, whatever their order. */
  const byRank = ({ experts, replicaRank }: Placement, ranks: number): string[] => {
    const names = Array.from(experts, (e, slot) => `${e}.${replicaRank[slot]}`)
    const slots = names.length / ranks
    return Array.from(
      { length: ranks },
      (_, rank) => `${names.slice(rank * slots, (rank + 1) * slots).sort()}`,
    )
  }

  test('preserving slots changes no rank; aligning ranks only exchanges them; each moves no more than without', () => {
    const random = randomPlacement(streams(9)('placement'))
    fc.assert(
      fc.property(placed(60), ({ load, cluster }) => {
        const { ranks, nodes } = cluster
        const [old, fresh] = [random(load, cluster), placeExperts(load, cluster)]
        const slots = preserveSlots(old, fresh, cluster)
        const aligned = alignRanks(old, fresh, cluster)
        expect(byRank(slots, ranks)).toEqual(byRank(fresh, ranks))
        expect(byRank(aligned, ranks).sort()).toEqual(byRank(fresh, ranks).sort())
        expect(byRank(aligned, nodes).sort()).toEqual(byRank(fresh, nodes).sort())
        const bytes = { ranks, expertBytes: 1 }
        const [plain, kept, least] = [fresh, slots, aligned].map((next) => migrationOf(old, next, bytes))
        expect(kept.receivedReplicas).toBe(plain.receivedReplicas)
        expect(kept.movedReplicas).toBeLessThanOrEqual(plain.movedReplicas)
        expect(least.movedReplicas).toBeLessThanOrEqual(kept.movedReplicas)
        expect(least.receivedReplicas).toBeLessThanOrEqual(least.movedReplicas)
      }),
    )
  })
})

describe('rebalance', () => {
  const cluster = { replicas: 4, ranks: 2 }
  const seesaw = [0, 1, 2, 3, 4, 5, 6, 7].map((step) => (step < 4 ? [9, 9, 1, 1] : [1, 9, 9, 1]))

  test('places by the window of steps before, and reports the step that follows', () => {
    const seen: number[][] = []
    const policy = (load: ArrayLike<number>) => {
      seen.push(Array.from(load))
      return placeExperts(load, cluster)
    }
    const steps = [...rebalance(seesaw, { cluster, interval: 2, window: 3, expertBytes: 10, policy })]
    expect(seen).toEqual([
      [18, 18, 2, 2], // before step 2: steps 0 and 1
      [27, 27, 3, 3], // before step 4: 1 to 3
      [11, 27, 19, 3], // before step 6: 3 to 5
    ])
    expect(steps.map(({ step }) => step)).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    expect(steps.map((step) => step.stragglerFactor)).toEqual([1.8, 1.8, 1, 1, 1, 1, 1, 1])
    expect(steps.map(({ migration }) => migration.movedReplicas)).toEqual([0, 0, 2, 0, 0, 0, 4, 0])
    expect(steps[2].migration.receivedBytes).toBe(20)
    // The last placement only exchanges the two ranks, which need not move.
    const aligned = [
      ...rebalance(seesaw, { cluster, interval: 2, window: 3, expertBytes: 10, arrange: alignRanks }),
    ]
    expect(aligned.map(({ migration }) => migration.movedReplicas)).toEqual([0, 0, 2, 0, 0, 0, 0, 0])
    expect(aligned.map((step) => step.stragglerFactor)).toEqual(steps.map((step) => step.stragglerFactor))
  })

  test('stale statistics are those of `lag` steps earlier', () => {
    const seen: number[][] = []
    const policy = (load: ArrayLike<number>) => {
      seen.push(Array.from(load))
      return placeExperts(load, cluster)
    }
    const options = { cluster, interval: 1, window: 1, lag: 2, expertBytes: 10, policy }
    expect([...rebalance(seesaw, options)]).toHaveLength(8)
    expect(seen).toEqual(seesaw.slice(0, 5))
  })

  test('a policy is told what stands there, an arrangement may be one’s own, and it may begin anywhere', () => {
    const from = placementOf([3, 2, 1, 0], 4)
    const [, second] = rebalance(seesaw, {
      cluster,
      interval: 1,
      window: 1,
      expertBytes: 10,
      from,
      policy: (_, __, before) => before!,
      arrange: (before, after) => {
        expect([before, after]).toEqual([from, from])
        return placementOf([0, 3, 1, 2], 4)
      },
    })
    expect([...second.placement.experts]).toEqual([0, 3, 1, 2])
    expect(second.migration.movedReplicas).toBe(3)
  })

  test.each([
    [{ interval: 0 }, 'interval'],
    [{ window: 0 }, 'window'],
    [{ lag: -1 }, 'lag'],
    [{ cluster: { replicas: 3, ranks: 1 } }, 'replicas'],
  ])('%j is refused', (own, name) => {
    const options = { cluster, interval: 1, window: 1, expertBytes: 1, ...own }
    expect(() => [...rebalance(seesaw, options)]).toThrow(`rebalance: ${name} must`)
  })

  test('an array that its owner fills anew is as good as a new one', () => {
    const draws = streams('refilled')('loads')
    const fresh = Array.from({ length: 12 }, () => Float64Array.from({ length: 4 }, () => draws.below(50)))
    function* refilled(): Generator<Float64Array> {
      const load = new Float64Array(4)
      for (const next of fresh) {
        load.set(next)
        yield load
      }
    }
    const options = { cluster: { replicas: 6, ranks: 2 }, interval: 2, window: 3, expertBytes: 1 }
    const placements = (loads: Iterable<Float64Array>): string[] =>
      [...rebalance(loads, options)].map(({ placement }) => placement.experts.join())
    expect(placements(refilled())).toEqual(placements(fresh))
    expect(new Set(placements(fresh)).size).toBeGreaterThan(2)
  })

  test('loads of another layer are refused', () => {
    const options = { cluster, interval: 2, window: 2, expertBytes: 1 }
    expect(() => [
      ...rebalance(
        [
          [1, 2],
          [1, 2, 3],
          [1, 2],
        ],
        options,
      ),
    ]).toThrow('must hold 2')
  })
})

describe('the recorded training, its first 150 steps, layer 6, 144 slots on 16 ranks', () => {
  const file = new URL('../../examples/data/training-load.safetensors', import.meta.url)
  const { counts, layers, numExperts } = readTrainingLoad(readFileSync(file))
  const loads = Array.from({ length: 150 }, (_, step) => {
    const first = (step * layers + 2) * numExperts
    return counts.subarray(first, first + numExperts)
  })
  const cluster = { replicas: 144, ranks: 16 }
  const expertBytes = 128 * 32 * 2 * 2 // up and down projection, two bytes a weight
  const run = (own: { interval?: number; lag?: number; arrange?: typeof alignRanks }) => {
    const options = { cluster, expertBytes, interval: 10, window: 10, ...own }
    const steps = [...rebalance(loads, options)].slice(20)
    const mean = steps.reduce((sum, step) => sum + step.stragglerFactor, 0) / steps.length
    const moved = steps.reduce((sum, { migration }) => sum + migration.movedBytes, 0)
    return { straggler: mean.toFixed(2), movedMiB: (moved / 2 ** 20).toFixed(1) }
  }

  test('the later statistics are, the longer all wait', () => {
    expect(run({ interval: 1000 }).straggler).toBe('3.05') // never placed
    expect(run({ interval: 1 }).straggler).toBe('1.38')
    expect(run({}).straggler).toBe('1.53')
    expect(run({ lag: 10 }).straggler).toBe('1.67')
  })

  test('slots preserved and ranks aligned move less, at the same balance', () => {
    expect(run({ arrange: (_, after) => after })).toEqual({ straggler: '1.53', movedMiB: '28.6' })
    expect(run({})).toEqual({ straggler: '1.53', movedMiB: '27.1' })
    expect(run({ arrange: alignRanks })).toEqual({ straggler: '1.53', movedMiB: '22.2' })
  })
})
