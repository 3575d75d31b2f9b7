import { demand } from '../errors.js'

/** Refuses experts that are neither from 0 to E − 1 nor −1, an empty slot. The error says `what` they are of. */
export function checkExperts(what: string, experts: Int32Array, numExperts: number): void {
  const odd = experts.findIndex((expert) => expert < -1 || expert >= numExperts)
  const rule = `${what} must be from 0 to ${numExperts - 1}, or −1`
  demand(odd < 0, rule, experts[odd], 'Number the routed experts from 0.')
}
