import { selectBest } from './select-best.js'

/** Experts in contiguous groups of one size, of which the best `topGroups` are kept. */
export interface Groups {
  readonly numExperts: number
  readonly numGroups: number
  readonly topGroups: number
  /** A group's score is the sum of its so many best keys. */
  readonly groupScoreTop: number
}

/** A function that sets the keys [E] of every expert outside the best groups to −∞; `round` rounds the groups' scores, in place. */
export function groupMask(
  { numExperts, numGroups, topGroups, groupScoreTop }: Groups,
  round?: (scores: Float32Array) => void,
): (keys: Float32Array) => void {
  const size = numExperts / numGroups
  const groupScores = new Float32Array(numGroups)
  const best = new Int32Array(groupScoreTop)
  const bestKeys = new Float32Array(groupScoreTop)
  const kept = new Int32Array(topGroups)
  const keptScores = new Float32Array(topGroups)
  return (keys) => {
    for (let group = 0; group < numGroups; group++) {
      selectBest(keys, group * size, (group + 1) * size, bestKeys, best, 0)
      groupScores[group] = bestKeys.reduce((sum, key) => Math.fround(sum + key))
    }
    round?.(groupScores)
    selectBest(groupScores, 0, numGroups, keptScores, kept, 0)
    for (let group = 0; group < numGroups; group++) {
      if (!kept.includes(group)) keys.fill(Number.NEGATIVE_INFINITY, group * size, (group + 1) * size)
    }
  }
}
