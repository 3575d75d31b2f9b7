import { close, emit } from './emit'
import { keepGroups } from './groups'
import {
  atBest,
  atBiases,
  atExperts,
  atKeys,
  atLogits,
  atSorted,
  biases,
  groups,
  keptGroups,
  orderOf,
  scratch,
  slots,
  width,
} from './plan'
import { score } from './score'
import { select } from './select'

/** The whole way for one token: every score, groups, and a plain selection; 0 if a logit is NaN or +∞. */
export function whole(row: usize, experts: usize, weights: usize, kth: usize, top: usize): i32 {
  const end = scratch + ((<usize>width) << 2)
  memory.copy(scratch + atLogits, row, (<usize>width) << 2)
  memory.copy(scratch + atBiases, biases, (<usize>width) << 2)
  v128.store(end, i32x4.splat(0), atLogits)
  if (!score(end)) return 0
  for (let at = scratch, e = 0; at < end; at += 4, e++) {
    store<i32>(at, e, atExperts)
    if (load<f32>(at, atLogits) === -Infinity) store<f32>(at, -Infinity, atKeys)
  }
  close(end)
  const keys = scratch + atKeys
  const least = keptGroups < groups ? keepGroups(scratch, end, -Infinity) : <f32>Infinity
  const best = scratch + atBest
  select(keys, width, slots, best)
  for (let k = 0; k < slots; k++) {
    const place = load<i32>(best + 4096 + ((<usize>k) << 2))
    const at = (place < 0 ? width : place) << 2
    v128.store(scratch + atSorted + ((<usize>k) << 4), i32x4(at, 0, 0, 0))
  }
  emit(scratch, end, end, end, 0, experts, weights) // the other lanes are empty, and written over
  const last = min(least, load<f32>(best + ((<usize>(slots - 1)) << 2)))
  store<i32>(kth, orderOf(reinterpret<i32>(last)))
  store<i32>(top, orderOf(load<i32>(best)))
  return 1
}
