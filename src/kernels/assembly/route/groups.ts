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
import { select } from './select'

/**
 * Leaves the best K only the best groups of a token, whose experts are listed in order from `start` to `end`: the keys of
 * the others become −∞, their ranks 0. Experts that are not listed have keys below `cut`. Gives the least key that the
 * choice of groups hangs on; if it is below the cut, another group may be better, and no rank is left.
 */
export function keepGroups(start: usize, end: usize, cut: f32): f32 {
  const best = scratch + atBest
  const sums = best + 8192
  const lasts = best + 12288
  const size = width / groups
  const groupBytes = (<usize>groups) << 2
  let at = start
  let until = size
  for (let g: usize = 0; g < groupBytes; g += 4, until += size) {
    const from = at
    while (at < end && load<i32>(at, atExperts) < until) at += 4
    select(from + atKeys, <i32>((at - from) >> 2), groupTop, best)
    // No more than what it can be, since rounding keeps the order of sums.
    let last = load<f32>(best)
    let sum = max(last, cut)
    for (let k = 1; k < groupTop; k++) {
      last = load<f32>(best + ((<usize>k) << 2))
      sum += max(last, cut)
    }
    store<f32>(sums + g, sum)
    store<f32>(lasts + g, last)
  }
  select(sums, groups, keptGroups, best)
  memory.fill(sums, 0, groupBytes)
  let least: f32 = Infinity
  for (let k = 0; k < keptGroups; k++) {
    const group = load<i32>(best + 4096 + ((<usize>k) << 2))
    if (group < 0) break
    const g = (<usize>group) << 2
    least = min(least, load<f32>(lasts + g))
    store<i32>(sums + g, -1)
  }
  if (least < cut) memory.fill(sums, 0, groupBytes)
  at = start
  until = size
  for (let g: usize = 0; g < groupBytes; g += 4, until += size) {
    const kept = load<i32>(sums + g)
    for (; at < end && load<i32>(at, atExperts) < until; at += 4) {
      store<i32>(at, load<i32>(at, atRanks) & kept, atRanks)
      store<i32>(at, (load<i32>(at, atKeys) & kept) | (reinterpret<i32>(-(<f32>Infinity)) & ~kept), atKeys)
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
