import { type Groups, groupKeeper } from './keep-groups.js'

/** A function that sets the keys [E] of every expert outside the best groups to −∞; `round` rounds the groups' scores. */
export function groupMask(groups: Groups, round?: (score: number) => number): (keys: Float32Array) => void {
  const { numExperts } = groups
  const list = new Int32Array(numExperts)
  const scores = new Float32Array(numExperts)
  const keepGroups = groupKeeper(groups, { list, scores, bias: new Float32Array(numExperts) }, round)
  return (keys) => {
    for (let e = 0; e < numExperts; e++) list[e] = e
    scores.set(keys)
    const { count } = keepGroups(0, 0, numExperts, Number.NEGATIVE_INFINITY)
    keys.fill(Number.NEGATIVE_INFINITY)
    for (let i = 0; i < count; i++) keys[list[i]] = scores[i]
  }
}
