import {
  atBest,
  atExperts,
  atKeys,
  atLeast,
  atRanks,
  atStarts,
  groups,
  groupTop,
  keptGroups,
  scratch,
  width,
} from './plan'
import { select as selectKeys } from './select'

// Of each group, behind the keys and places of the best: its score, the least key in it, and −1 if it is kept.
const atSums: usize = 8192
const atLasts: usize = 12288
const atKeeps: usize = 16384

/**
 * Leaves the best K only the best groups of a token, whose experts are listed in order from `start` to `end`: the keys of
 * the others become −∞, their ranks 0. Experts that are not listed have keys below `cut`. Gives the least key that the
 * choice of groups hangs on; if it is below the cut, another group may be better, and no rank is left.
 */
export function keepGroups(start: usize, end: usize, cut: f32): f32 {
  const best = scratch + atBest
  const size = width / groups
  const groupsEnd = best + ((<usize>groups) << 2)
  memory.fill(best + atKeeps, 0, groupsEnd - best)
  let least: f32 = Infinity
  let missing = keptGroups
  // Each pass sums one key less, for the places that groups with enough open experts have left.
  for (let top = groupTop; top && missing; top--) {
    let at = start
    let until = size
    for (let g = best; g < groupsEnd; g += 4, until += size) {
      const from = at
      while (at < end && load<i32>(at, atExperts) < until) at += 4
      selectKeys(from + atKeys, <i32>((at - from) >> 2), top, best)
      let sum = load<f32>(g, atKeeps) // if it is kept already, NaN, which is not selected
      for (let k = best, after = k + ((<usize>top) << 2); k < after; k += 4) {
        sum += max(load<f32>(k), cut) // no more than what it can be, since rounding keeps the order of sums
      }
      store<f32>(g, sum, atSums)
      store<f32>(g, load<f32>(best + ((<usize>top) << 2) - 4), atLasts)
    }
    selectKeys(best + atSums, groups, missing, best)
    for (let k = best; missing; k += 4, missing--) {
      const group = load<i32>(k, 4096)
      if (group < 0) break
      const g = best + ((<usize>group) << 2)
      least = min(least, load<f32>(g, atLasts))
      store<i32>(g, -1, atKeeps)
    }
  }
  if (least < cut) memory.fill(best + atKeeps, 0, groupsEnd - best)
  let at = start
  let until = size
  for (let g = best; g < groupsEnd; g += 4, until += size) {
    const kept = load<i32>(g, atKeeps)
    for (; at < end && load<i32>(at, atExperts) < until; at += 4) {
      store<i32>(at, load<i32>(at, atRanks) & kept, atRanks)
      store<i32>(at, select<i32>(load<i32>(at, atKeys), reinterpret<i32>(-(<f32>Infinity)), kept), atKeys)
    }
  }
  return least
}

/** The same for the tokens of a block, whose cuts become the least keys. */
export function keepGroupsOfEach(tokens: i32): void {
  const end = scratch + ((<usize>tokens) << 2)
  for (let info = scratch; info < end; info += 4) {
    const from = load<i32>(info, atStarts)
    const to = load<i32>(info, atStarts + 4)
    if (to === from) continue
    const least = keepGroups(scratch + from, scratch + to, load<f32>(info, atLeast))
    store<f32>(info, least, atLeast)
  }
}
