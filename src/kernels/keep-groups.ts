import { selectBest } from './select-best.js'

/** Experts in contiguous groups of one size, of which the best `topGroups` are kept. */
export interface Groups {
  readonly numExperts: number
  readonly numGroups: number
  readonly topGroups: number
  /** A group's score is the sum of its so many best keys. */
  readonly groupScoreTop: number
}

/** Candidates: where they stand in the rows, in order, and their scores. */
interface Candidates {
  readonly list: Int32Array
  readonly scores: Float32Array
  readonly bias: Float32Array
}

/**
 * How many candidates are left, from where they start on, and the least key that the choice of groups hangs on. The next call
 * writes over it.
 */
interface Kept {
  count: number
  least: number
}

/**
 * A function that leaves only those candidates of a token, listed from `start` to `end`, that are in its best groups. Other
 * experts have keys below `cut`; if the least key is, too, another group may be better by one of them. `round` rounds the
 * groups' scores, and leaves −∞ what it is.
 *
 * Groups with too few open experts for a score stand behind all others: each pass sums one key less, for the places that the
 * one before has left. A sum that overflows to −∞ is no score either.
 */
export function groupKeeper(
  { numExperts, numGroups, topGroups, groupScoreTop }: Groups,
  { list, scores, bias }: Candidates,
  round: (score: number) => number = Math.fround,
): (row: number, start: number, end: number, cut: number) => Kept {
  const size = numExperts / numGroups
  const keys = new Float32Array(numExperts)
  const best = new Int32Array(groupScoreTop)
  const bestKeys = new Float32Array(groupScoreTop)
  const groupScores = new Float32Array(numGroups)
  const lasts = new Float32Array(numGroups)
  const groups = new Int32Array(topGroups)
  const groupKeys = new Float32Array(topGroups)
  const keeps = new Uint8Array(numGroups)
  const kept: Kept = { count: 0, least: 0 }
  return (row, start, end, cut) => {
    for (let i = start; i < end; i++) keys[i - start] = scores[i] + bias[list[i] - row]
    let missing = topGroups
    keeps.fill(0)
    kept.least = Infinity
    for (let top = groupScoreTop; top && missing; top--) {
      let at = start
      for (let group = 0; group < numGroups; group++) {
        const from = at
        while (at < end && list[at] < row + (group + 1) * size) at++
        selectBest(keys, from - start, at - start, bestKeys, best, 0)
        // No more than what it can be, since rounding keeps the order of sums.
        let sum = keeps[group] ? Number.NEGATIVE_INFINITY : 0
        for (let k = 0; k < top; k++) sum = Math.fround(sum + Math.max(bestKeys[k], cut))
        groupScores[group] = round(sum)
        lasts[group] = bestKeys[top - 1]
      }
      selectBest(groupScores, 0, numGroups, groupKeys, groups, 0)
      for (const group of groups) {
        if (group < 0 || !missing) break
        missing--
        keeps[group] = 1
        kept.least = Math.min(kept.least, lasts[group])
      }
    }
    kept.count = 0
    for (let i = start, group = 0; i < end; i++) {
      while (list[i] >= row + (group + 1) * size) group++
      list[start + kept.count] = list[i]
      scores[start + kept.count] = scores[i]
      kept.count += keeps[group]
    }
    return kept
  }
}
