import { fetch } from '../fetch'
import { compact, mask } from './candidates'
import { close } from './emit'
import { keepGroupsOfEach } from './groups'
import {
  atLeast,
  atMasks,
  atSlow,
  block,
  firstLevel,
  groups,
  keptGroups,
  orderOf,
  scratch,
  slots,
  thresholdsOf,
  width,
} from './plan'
import { rank } from './rank'
import { score } from './score'
import { noneLater, slow } from './slow-tokens'
import { whole } from './whole'

// score → select → weigh in one go, for blocks of 32 tokens, each stage a short loop over the whole block:
//   mask      a bit for each expert whose logit is above its threshold, or NaN
//   compact   these candidates of all tokens, one after another
//   score     the candidates only
//   rank      four tokens at a time, one a lane, their best K through registers that keep the larger
//   emit      experts, weights, load
// A token whose K-th best key may lie below the threshold, or that has too many candidates, goes the whole way instead.

/**
 * Routes tokens [n, E] at `rows`: experts and weights [n, K], added to the load [E]; `kths` and `tops` [n] get the order of
 * the K-th and of the best key, exact or nearly. Gives one more than the tokens that went the whole way; 0 if a logit is NaN
 * or +∞, and the results are worthless then.
 */
export function route(
  rows: usize,
  tokens: i32,
  experts: usize,
  weights: usize,
  kths: usize,
  tops: usize,
): i32 {
  const rowBytes = (<usize>width) << 2
  const slotBytes = (<usize>slots) << 2
  const words = (width + 63) >> 6
  const firstRow = thresholdsOf(firstLevel)
  let told = 1
  for (let from = 0; from < tokens; from += block) {
    const some = min(block, tokens - from)
    fetch(rows, <usize>some * rowBytes) // saves 5 % of the time where they come from memory
    let row = rows
    let masks = scratch + atMasks
    for (let t = 0; t < some; t += 4) {
      mask(row, firstRow, masks, words)
      row += rowBytes << 2
      masks += (<usize>words) << 5
    }
    noneLater()
    const end = compact(rows, some)
    if (!score(end)) return 0
    close(end)
    if (keptGroups < groups) keepGroupsOfEach(some)
    for (let t = 0; t < some; t += 4) {
      const at = (<usize>t) << 2
      rank(t, end, experts + <usize>t * slotBytes, weights + <usize>t * slotBytes, kths + at, tops + at)
    }
    for (let at: usize = 0; keptGroups < groups && at < (<usize>some) << 2; at += 4) {
      const least = orderOf(load<i32>(scratch + at, atLeast))
      store<i32>(kths + at, min(least, load<i32>(kths + at)))
    }
    told += slow
    for (let i = 0; i < slow; i++) {
      const t = <usize>load<i32>(scratch + ((<usize>i) << 2), atSlow)
      const at = t * slotBytes
      if (!whole(rows + t * rowBytes, experts + at, weights + at, kths + (t << 2), tops + (t << 2))) return 0
    }
    rows += <usize>some * rowBytes
    experts += <usize>some * slotBytes
    weights += <usize>some * slotBytes
    kths += (<usize>some) << 2
    tops += (<usize>some) << 2
  }
  return told
}
