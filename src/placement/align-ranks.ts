import { demand, demandWhole } from '../errors.js'
import { balancedAssignment } from '../router/assignment.js'
import { slotsPerRank } from './migration.js'
import { preserveSlots, rearranged } from './preserve-slots.js'
import type { Placement } from './protocol.js'

/**
 * Which rank is which is no matter to a policy, so here nodes, and ranks within them, are exchanged as wholes so that the
 * most replicas stay where they are; then `preserveSlots`. Every rank's load is as before, another rank's at most.
 *
 * Exact: two levels of the assignment problem (`balancedAssignment`). Takes all ranks of a node, and all nodes, for alike.
 * Throws an InputError as `preserveSlots` does, and on nodes that do not divide ranks.
 */
export function alignRanks(
  before: Placement,
  after: Placement,
  { ranks, nodes }: { readonly ranks: number; readonly nodes: number },
): Placement {
  const slots = slotsPerRank('alignRanks', before, after, ranks)
  demandWhole('alignRanks: nodes', nodes, 1, ranks, 'Each node has a rank.')
  demand(
    ranks % nodes === 0,
    `alignRanks: nodes must divide ranks = ${ranks}`,
    nodes,
    'Use the cluster’s own.',
  )
  const size = ranks / nodes
  const kept = keptReplicas(before, after, slots, ranks)
  const within = (oldNode: number, newNode: number): Matching =>
    bestMatching(size, (a, b) => kept[(oldNode * size + a) * ranks + newNode * size + b])
  const pairs = Array.from({ length: nodes * nodes }, (_, i) => within(Math.floor(i / nodes), i % nodes))
  const byNode = bestMatching(nodes, (a, b) => pairs[a * nodes + b].kept)
  const from = after.experts.map((_, slot) => {
    const rank = Math.floor(slot / slots)
    const node = Math.floor(rank / size)
    const newNode = byNode.partner[node]
    const partner = newNode * size + pairs[node * nodes + newNode].partner[rank % size]
    return partner * slots + (slot % slots)
  })
  return preserveSlots(before, rearranged(after, from), { ranks })
}

interface Matching {
  readonly partner: Int32Array
  readonly kept: number
}

/** One of n for each of n such that the most is kept. */
function bestMatching(n: number, kept: (a: number, b: number) => number): Matching {
  const scores = Float32Array.from({ length: n * n }, (_, i) => kept(Math.floor(i / n), i % n))
  const partner = balancedAssignment(scores, n).experts
  return { partner, kept: partner.reduce((sum, b, a) => sum + scores[a * n + b], 0) }
}

/** [R, R] replicas that rank a of `before` and rank b of `after` have in common. */
function keptReplicas(before: Placement, after: Placement, slots: number, ranks: number): Int32Array {
  const kept = new Int32Array(ranks * ranks)
  for (let a = 0; a < ranks; a++) {
    for (let b = 0; b < ranks; b++) {
      const left = Array.from(before.experts.subarray(a * slots, (a + 1) * slots))
      for (const e of after.experts.subarray(b * slots, (b + 1) * slots)) {
        const at = left.indexOf(e)
        if (at < 0) continue
        left.splice(at, 1)
        kept[a * ranks + b]++
      }
    }
  }
  return kept
}
