import fc from 'fast-check'
import type { Cluster } from 'moesim'

/** A cluster whose sizes fit, with a load of its experts: whole counts, of which many may be equal or 0. */
export const placed = (most: number): fc.Arbitrary<{ load: number[]; cluster: Required<Cluster> }> =>
  fc
    .record({
      nodes: fc.integer({ min: 1, max: 3 }),
      groupsPerNode: fc.integer({ min: 1, max: 3 }),
      groupSize: fc.integer({ min: 1, max: 4 }),
      ranksPerNode: fc.integer({ min: 1, max: 4 }),
      spare: fc.integer({ min: 0, max: 3 }),
    })
    .map(({ nodes, groupsPerNode, groupSize, ranksPerNode, spare }) => {
      const ranks = nodes * ranksPerNode
      const slots = Math.ceil((groupsPerNode * groupSize) / ranksPerNode) + spare
      const groups = nodes * groupsPerNode
      return { cluster: { replicas: ranks * slots, ranks, nodes, groups }, numExperts: groups * groupSize }
    })
    .filter(({ cluster }) => cluster.replicas <= most)
    .chain(({ cluster, numExperts }) =>
      fc.record({
        cluster: fc.constant(cluster),
        load: fc.array(fc.nat({ max: 1000 }), { minLength: numExperts, maxLength: numExperts }),
      }),
    )
