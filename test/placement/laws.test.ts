import fc from 'fast-check'
import {
  linearPlacement,
  type Placement,
  type PlacementPolicy,
  placeBySearch,
  placeExactly,
  placeExperts,
  placementOf,
  randomPlacement,
  rankLoads,
  replicaSlots,
  roundRobinPlacement,
  stragglerBound,
  stragglerFactor,
  streams,
} from 'moesim'
import { describe, expect, test } from 'vitest'
import { placed } from './clusters.js'

const policies: [string, PlacementPolicy, number][] = [
  ['placeExperts', placeExperts, 200],
  ['placeBySearch', placeBySearch, 200],
  ['placeExactly', placeExactly, 10],
  ['randomPlacement', randomPlacement(streams(1)('placement')), 200],
  ['linearPlacement', linearPlacement, 200],
  ['roundRobinPlacement', roundRobinPlacement, 200],
]
const keepsNodes = ['placeExperts', 'placeBySearch', 'placeExactly', 'randomPlacement']

/** Every expert has replicas, numbered from 0, as many as its count says; all slots are filled. */
function isWhole({ experts, replicaRank, replicaCount }: Placement, replicas: number): void {
  expect(experts).toHaveLength(replicas)
  expect(replicaCount.reduce((sum, count) => sum + count, 0)).toBe(replicas)
  replicaCount.forEach((count, e) => {
    const ranks = [...replicaRank.filter((_, slot) => experts[slot] === e)].sort((a, b) => a - b)
    expect(ranks).toEqual(Array.from({ length: count }, (_, i) => i))
    expect(count).toBeGreaterThanOrEqual(1)
  })
}

describe.each(policies)('%s', (_, policy, most) => {
  test('fills every slot, gives every expert one, and numbers its replicas', () => {
    fc.assert(
      fc.property(placed(most), ({ load, cluster }) => {
        isWhole(policy(load, cluster), cluster.replicas)
      }),
    )
  })

  test('replicaSlots finds every replica where it is', () => {
    fc.assert(
      fc.property(placed(most), ({ load, cluster }) => {
        const placement = policy(load, cluster)
        const slots = replicaSlots(placement)
        const width = slots.length / load.length
        expect(slots.filter((slot) => slot >= 0)).toHaveLength(cluster.replicas)
        slots.forEach((slot, i) => {
          if (slot < 0)
            return void expect(i % width).toBeGreaterThanOrEqual(
              placement.replicaCount[Math.floor(i / width)],
            )
          expect(placement.experts[slot]).toBe(Math.floor(i / width))
          expect(placement.replicaRank[slot]).toBe(i % width)
        })
      }),
    )
  })

  test('neither loses nor makes load, and is not below the bound', () => {
    fc.assert(
      fc.property(placed(most), ({ load, cluster }) => {
        const placement = policy(load, cluster)
        const total = load.reduce((sum, count) => sum + count, 0)
        const sum = rankLoads(load, placement, cluster.ranks).reduce((a, b) => a + b, 0)
        expect(Math.abs(sum - total)).toBeLessThanOrEqual(1e-9 * total)
        const straggler = stragglerFactor(load, placement, cluster.ranks)
        expect(straggler).toBeGreaterThanOrEqual(stragglerBound(load, cluster) * (1 - 1e-9))
      }),
    )
  })
})

test.each(policies.filter(([name]) => keepsNodes.includes(name)))(
  '%s keeps a group in one node, and gives each node as many',
  (_, policy, most) => {
    fc.assert(
      fc.property(placed(most), ({ load, cluster }) => {
        const { experts } = policy(load, cluster)
        const { replicas, nodes, groups } = cluster
        const homes = Array.from({ length: groups }, () => new Set<number>())
        experts.forEach((e, slot) => {
          homes[Math.floor((e * groups) / load.length)].add(Math.floor((slot * nodes) / replicas))
        })
        expect(homes.map((home) => home.size)).toEqual(new Array(groups).fill(1))
        const perNode = new Array(nodes).fill(0)
        for (const [node] of homes) perNode[node]++
        expect(perNode).toEqual(new Array(nodes).fill(groups / nodes))
      }),
    )
  },
)

describe('placeExperts', () => {
  test('gives no expert more replicas than a node has spare slots, and one', () => {
    fc.assert(
      fc.property(placed(200), ({ load, cluster }) => {
        const spare = (cluster.replicas - load.length) / cluster.nodes
        expect(Math.max(...placeExperts(load, cluster).replicaCount)).toBeLessThanOrEqual(spare + 1)
      }),
    )
  })

  test('does not change when loads are doubled', () => {
    fc.assert(
      fc.property(placed(200), ({ load, cluster }) => {
        const doubled = load.map((count) => 2 * count)
        expect(placeExperts(doubled, cluster)).toEqual(placeExperts(load, cluster))
      }),
    )
  })

  test('with one slot a rank and one node reaches the bound', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat({ max: 1000 }), { minLength: 1, maxLength: 20 }),
        fc.nat({ max: 20 }),
        (load, spare) => {
          const cluster = { replicas: load.length + spare, ranks: load.length + spare }
          const straggler = stragglerFactor(load, placeExperts(load, cluster), cluster.ranks)
          expect(straggler).toBeCloseTo(stragglerBound(load, cluster), 6)
        },
      ),
    )
  })
})

test('placeBySearch is never worse than EPLB, placeExactly never worse than placeBySearch', () => {
  let search = 0
  let exact = 0
  fc.assert(
    fc.property(placed(12), ({ load, cluster }) => {
      const [a, b, c] = [placeExperts, placeBySearch, placeExactly].map((policy) =>
        stragglerFactor(load, policy(load, cluster), cluster.ranks),
      )
      expect(b).toBeLessThanOrEqual(a * (1 + 1e-12))
      expect(c).toBeLessThanOrEqual(b * (1 + 1e-12))
      if (b < a * (1 - 1e-9)) search++
      if (c < b * (1 - 1e-9)) exact++
    }),
    { seed: 7 },
  )
  expect(search).toBeGreaterThan(0) // and both are better now and then, or this would prove nothing
  expect(exact).toBeGreaterThan(0)
})

/** The lightest busiest rank among all ways to fill the slots, node by node, without any cleverness. */
function leastByTryingAll(
  load: number[],
  { replicas, ranks, nodes, groups }: ReturnType<typeof sizesOf>,
): number {
  let least = Number.POSITIVE_INFINITY
  const experts: number[] = []
  const homes = new Map<number, number>()
  const fill = (): void => {
    const slot = experts.length
    if (slot === replicas) {
      if (new Set(experts).size < load.length) return
      const loads = rankLoads(load, placementOf(experts, load.length), ranks)
      least = Math.min(least, Math.max(...loads))
      return
    }
    const node = Math.floor((slot * nodes) / replicas)
    for (let e = 0; e < load.length; e++) {
      const group = Math.floor((e * groups) / load.length)
      const home = homes.get(group)
      if (home !== undefined && home !== node) continue
      if (home === undefined) {
        if ([...homes.values()].filter((other) => other === node).length === groups / nodes) continue
        homes.set(group, node)
      }
      experts.push(e)
      fill()
      experts.pop()
      if (home === undefined) homes.delete(group)
    }
  }
  fill()
  return least
}
const sizesOf = (replicas: number, ranks: number, nodes = 1, groups = 1) => ({
  replicas,
  ranks,
  nodes,
  groups,
})

test.each([
  [sizesOf(6, 3), 4],
  [sizesOf(6, 2), 3],
  [sizesOf(6, 6), 4],
  [sizesOf(6, 2, 2, 4), 4],
  [sizesOf(8, 4, 2, 2), 4],
  [sizesOf(6, 3, 3, 3), 3],
])(
  'placeExactly finds the optimum that trying all slots of %j finds, for %i experts',
  (cluster, numExperts) => {
    const draws = streams(5)('loads')
    for (let i = 0; i < 6; i++) {
      const load = Array.from({ length: numExperts }, () => draws.below(i === 0 ? 1 : 30))
      const found = Math.max(...rankLoads(load, placeExactly(load, cluster), cluster.ranks))
      expect(found).toBeCloseTo(leastByTryingAll(load, cluster), 9)
    }
  },
)

test('placeExactly refuses more slots than it can try', () => {
  expect(() => placeExactly(new Array(17).fill(1), { replicas: 17, ranks: 1 })).toThrow(
    'placeExactly: replicas must be at most 16, got 17. Use placeBySearch',
  )
})

test('an empty load makes no rank wait', () => {
  expect(stragglerBound([0, 0, 0, 0], { replicas: 4, ranks: 2 })).toBe(1)
})
