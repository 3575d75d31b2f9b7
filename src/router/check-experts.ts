import { InputError } from '../errors.js'

/** Of a routing, what its experts are checked by. */
interface Chosen {
  readonly numExperts: number
  readonly topK: number
  /** [T, K] */
  readonly experts: Int32Array
  /** K without fillers, where there are some. */
  readonly ownSlots?: number
}

/**
 * Refuses experts that are neither from 0 to E − 1 nor −1, an empty slot, and a token that chooses one twice; fillers may be
 * anywhere. The error says `what` they are of.
 */
export function checkExperts(what: string, routing: Chosen): void {
  const { numExperts, topK, experts, ownSlots: own = topK } = routing
  const rowOf = new Int32Array(numExperts).fill(-1) // where each expert was seen last
  for (let slot = 0; slot < experts.length; slot++) {
    const expert = experts[slot]
    const k = slot % topK
    if (expert < -1 || expert >= numExperts || (k < own && rowOf[expert] === slot - k)) {
      const rule = `${what} must be from 0 to ${numExperts - 1}, or −1, each once a token`
      throw new InputError(rule, expert, 'Number the routed experts from 0.')
    }
    if (k < own && expert >= 0) rowOf[expert] = slot - k
  }
}
