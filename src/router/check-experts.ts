import { demand } from '../errors.js'

/** Refuses experts that are neither from 0 to E − 1 nor −1, an empty slot. `rule` is what the error says. */
export function checkExperts(rule: string, experts: Int32Array, numExperts: number): void {
  const odd = experts.findIndex((expert) => expert < -1 || expert >= numExperts)
  demand(odd < 0, rule, experts[odd], 'Number the routed experts from 0.')
}
