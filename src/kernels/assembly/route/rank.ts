import { emit } from './emit'
import {
  atLevels,
  atRanks,
  atRows,
  atSorted,
  atStarts,
  base,
  drop,
  placeBits,
  places,
  scratch,
  slots,
} from './plan'
import { later } from './slow-tokens'

/** Finds the best K of four tokens, in order, from token `t` of the block on, and emits them. */
export function rank(t: i32, none: usize, experts: usize, weights: usize, kths: usize, tops: usize): void {
  let info = scratch + ((<usize>t) << 2)
  const s0 = load<i32>(info, atStarts)
  const s1 = load<i32>(info, atStarts + 4)
  const s2 = load<i32>(info, atStarts + 8)
  const s3 = load<i32>(info, atStarts + 12)
  const s4 = load<i32>(info, atStarts + 16)
  const most = max(max(s1 - s0, s2 - s1), max(s3 - s2, s4 - s3))
  if (most === 0) return
  // Candidates to rows of four lanes, with their places in the last bits: of equal keys the first is larger.
  let place = i32x4.sub(i32x4.splat(places), i32x4(1, 2, 3, 4))
  let index = i32x4(0, 4, 8, 12)
  let row = scratch + atRows
  for (let j = 0; j < most; j += 16) {
    const from = scratch + j
    const a = candidates(from + s0, s1 - s0, index, place)
    const b = candidates(from + s1, s2 - s1, index, place)
    const c = candidates(from + s2, s3 - s2, index, place)
    const d = candidates(from + s3, s4 - s3, index, place)
    const ab = i32x4.shuffle(a, b, 0, 4, 1, 5)
    const cd = i32x4.shuffle(c, d, 0, 4, 1, 5)
    const ab2 = i32x4.shuffle(a, b, 2, 6, 3, 7)
    const cd2 = i32x4.shuffle(c, d, 2, 6, 3, 7)
    v128.store(row, i64x2.shuffle(ab, cd, 0, 2))
    v128.store(row, i64x2.shuffle(ab, cd, 1, 3), 16)
    v128.store(row, i64x2.shuffle(ab2, cd2, 0, 2), 32)
    v128.store(row, i64x2.shuffle(ab2, cd2, 1, 3), 48)
    row += 64
    place = i32x4.sub(place, i32x4.splat(4))
    index = i32x4.add(index, i32x4.splat(16))
  }
  const sorted = scratch + atSorted
  for (let first = 0, wanted = drop > 0 ? slots + 1 : slots; first < wanted; first += 8) {
    sift(scratch + atRows + ((<usize>first) << 4), row, sorted + ((<usize>first) << 4))
  }
  // A token is sure of its best K if all of them are at or above what the threshold stands for, and none was cut off
  // so far that it looks like the next.
  const last = v128.load(sorted + ((<usize>(slots - 1)) << 4))
  const limit = i32x4.splat((0x7fffffff >> placeBits) << placeBits)
  let unsure = v128.or(i32x4.lt_s(last, v128.load(info, atLevels)), i32x4.ge_s(v128.load(sorted, 16), limit))
  const top = v128.load(sorted)
  v128.store(kths, i32x4.add(i32x4.shl(i32x4.shr_u(last, placeBits), drop), i32x4.splat(base)))
  v128.store(tops, i32x4.add(i32x4.shl(i32x4.shr_u(top, placeBits), drop), i32x4.splat(base)))
  const lastBits = i32x4.splat(places - 1)
  const end = sorted + ((<usize>slots) << 4)
  for (let at = sorted; at < end && drop > 0; at += 16) {
    const x = i32x4.shr_u(v128.load(at), placeBits)
    unsure = v128.or(unsure, i32x4.eq(x, i32x4.shr_u(v128.load(at, 16), placeBits)))
  }
  // From ranks to places in bytes; a lane in doubt, or without a token, reads what is written for empty slots.
  for (let at = sorted; at < end; at += 16) {
    const place = i32x4.shl(v128.andnot(lastBits, v128.load(at)), 2)
    v128.store(at, v128.andnot(place, unsure))
  }
  const doubt = i32x4.bitmask(unsure)
  const list0 = doubt & 1 ? none : scratch + s0
  const list1 = doubt & 2 ? none : scratch + s1
  const list2 = doubt & 4 ? none : scratch + s2
  const list3 = doubt & 8 ? none : scratch + s3
  emit(list0, list1, list2, list3, (<usize>slots) << 2, experts, weights)
  for (let lane = 0; lane < 4 && doubt; lane++) {
    if ((doubt >> lane) & 1 && load<i32>(info, atStarts + 4) > load<i32>(info, atStarts)) later(t + lane)
    info += 4
  }
}

function candidates(from: usize, bytes: i32, index: v128, place: v128): v128 {
  return v128.and(v128.or(v128.load(from, atRanks), place), i32x4.gt_s(i32x4.splat(bytes), index))
}

/** The largest 8 of each lane of the rows, in order, to `out`; the others stay in the rows, the first 8 of which are free then. */
function sift(row: usize, end: usize, out: usize): void {
  let r0 = i32x4.splat(0)
  let r1 = r0
  let r2 = r0
  let r3 = r0
  let r4 = r0
  let r5 = r0
  let r6 = r0
  let r7 = r0
  for (; row < end; row += 16) {
    const x0 = v128.load(row)
    const x1 = i32x4.min_s(r0, x0)
    r0 = i32x4.max_s(r0, x0)
    const x2 = i32x4.min_s(r1, x1)
    r1 = i32x4.max_s(r1, x1)
    const x3 = i32x4.min_s(r2, x2)
    r2 = i32x4.max_s(r2, x2)
    const x4 = i32x4.min_s(r3, x3)
    r3 = i32x4.max_s(r3, x3)
    const x5 = i32x4.min_s(r4, x4)
    r4 = i32x4.max_s(r4, x4)
    const x6 = i32x4.min_s(r5, x5)
    r5 = i32x4.max_s(r5, x5)
    const x7 = i32x4.min_s(r6, x6)
    r6 = i32x4.max_s(r6, x6)
    v128.store(row, i32x4.min_s(r7, x7))
    r7 = i32x4.max_s(r7, x7)
  }
  v128.store(out, r0)
  v128.store(out, r1, 16)
  v128.store(out, r2, 32)
  v128.store(out, r3, 48)
  v128.store(out, r4, 64)
  v128.store(out, r5, 80)
  v128.store(out, r6, 96)
  v128.store(out, r7, 112)
}
