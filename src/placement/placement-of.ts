import { demand, demandWhole } from '../errors.js'
import type { Placement } from './protocol.js'

/**
 * The placement with these experts in its slots, [P]; replicas of an expert are counted in the order of their slots. For
 * placements made by hand, by another program, or by a policy of one's own. Throws an InputError unless every one of
 * the E experts has a slot.
 */
export function placementOf(experts: ArrayLike<number>, numExperts: number): Placement {
  demandWhole('placementOf: numExperts', numExperts, 1, 1 << 20, 'It is E.')
  const replicaRank = new Int32Array(experts.length)
  const replicaCount = new Int32Array(numExperts)
  for (let slot = 0; slot < experts.length; slot++) {
    const e = experts[slot]
    if (!(e < numExperts && replicaCount[e] >= 0))
      // no words are made for slots that are right
      demandWhole(`placementOf: the expert in slot ${slot}`, e, 0, numExperts - 1, 'Experts count from 0.')
    replicaRank[slot] = replicaCount[e]++
  }
  const missing = replicaCount.indexOf(0)
  demand(missing < 0, 'placementOf: every expert must have a slot', experts, `Expert ${missing} has none.`)
  return { experts: Int32Array.from(experts), replicaRank, replicaCount }
}
