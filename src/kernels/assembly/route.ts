import { demote, exp, sigmoids, sqrtSoftpluses } from './elementary'
import { fetch } from './fetch'

// score → select → weigh in one go, for blocks of 32 tokens, each stage a short loop over the whole block:
//   mask      a bit for each expert whose logit is above its threshold, or NaN
//   compact   these candidates of all tokens, one after another
//   score     the candidates only
//   rank      four tokens at a time, one a lane, their best K through registers that keep the larger
//   emit      experts, weights, load
// A token whose K-th best key may lie below the threshold, or that has too many candidates, goes the whole way instead.

// What to do, set by `plan` and `cut`.
let width: i32 = 0
let slots: i32 = 0
let kind: i32 = 0
let divide: i32 = 0
let factor: f64 = 1
let extra: f64 = 0
let groups: i32 = 1
let keptGroups: i32 = 1
let groupTop: i32 = 1
let biases: usize = 0
let thresholds: usize = 0
let scratch: usize = 0
let loads: usize = 0
/** Candidates a token may have on the fast way, a power of two, and the bits that hold a candidate's place. */
let places: i32 = 32
let placeBits: i32 = 5
/** A key's rank is its order as a whole number, less `base`, without its last `drop` bits. */
let base: i32 = 0
let drop: i32 = 0
/** Tokens of the block that go the whole way. */
let slow: i32 = 0

const block: i32 = 32
/** Places in a list: the candidates of a block, or one whole row. */
const listBytes: usize = 4 * (32 * 64 + 64)
// The scratch area: offsets in bytes.
const atExperts: usize = 0
const atLogits: usize = listBytes
const atBiases: usize = 2 * listBytes
const atScores: usize = 3 * listBytes
const atKeys: usize = 4 * listBytes // float32
const atRanks: usize = 5 * listBytes
const atMasks: usize = 6 * listBytes // 32 tokens × 16 words
const atOwn: usize = atMasks + 4096 // of one row
const atStarts: usize = atOwn + 128
const atLevels: usize = atStarts + 256
const atSlow: usize = atLevels + 192
const atCuts: usize = atSlow + 128
const atRows: usize = atCuts + 64 // places × 4 lanes
const atSorted: usize = atRows + 16 * 72
const atSelected: usize = atSorted + 16 * 48
const atLeast: usize = atSelected + 32 * 40 // float32: no key of an expert that is not listed is above it
const atBest: usize = atLeast + 128 // groups, up to 1024 of them
export const scratchBytes: usize = atBest + 4 * 1024 * 4

export function plan(
  numExperts: i32,
  topK: i32,
  scoreKind: i32,
  normalize: i32,
  scale: f64,
  epsilon: f64,
  numGroups: i32,
  topGroups: i32,
  groupScoreTop: i32,
  biasAt: usize,
  thresholdsAt: usize,
  scratchAt: usize,
  loadAt: usize,
): void {
  width = numExperts
  slots = topK
  kind = scoreKind
  divide = normalize
  factor = scale
  extra = epsilon
  groups = numGroups
  keptGroups = topGroups
  groupTop = groupScoreTop
  biases = biasAt
  thresholds = thresholdsAt
  scratch = scratchAt
  loads = loadAt
  placeBits = topK > 8 || topGroups < numGroups ? 6 : 5
  places = 1 << placeBits
  memory.fill(scratchAt, 0, scratchBytes)
  v128.store(scratchAt, i32x4.splat(i32.MAX_VALUE), atCuts) // no token is sure of its best
}

/** Sets the keys that the three rows of thresholds stand for, and one above which they are rare, as ordered whole numbers. */
export function cut(main: i32, low: i32, high: i32, top: i32): void {
  base = low - 1
  drop = 0
  while (<u32>(top - base) >> drop >= <u32>(0x7fffffff >> placeBits)) drop++
  store<i32>(scratch, rankOf(main), atCuts)
  store<i32>(scratch, rankOf(low), atCuts + 4)
  store<i32>(scratch, rankOf(high), atCuts + 8)
  store<i32>(scratch, orderOf(main), atCuts + 16)
  store<i32>(scratch, orderOf(low), atCuts + 20)
  store<i32>(scratch, orderOf(high), atCuts + 24)
}

/** The least rank that only keys of at least `order` have. */
function rankOf(order: i32): i32 {
  const rank = (<u32>(order - base) + ((<u32>1) << drop) - 1) >> drop
  return (<i32>min(rank, <u32>(0x7fffffff >> placeBits))) << placeBits
}

/** For each of four rows, a bit for each expert whose logit is above the threshold, or NaN; so many words apart. */
function mask(row: usize, threshold: usize, out: usize, words: i32): void {
  const bytes = (<usize>width) << 2
  const apart = (<usize>words) << 3
  const end = row + bytes
  while (row < end) {
    const t0 = v128.load(threshold)
    const t1 = v128.load(threshold, 16)
    const t2 = v128.load(threshold, 32)
    const t3 = v128.load(threshold, 48)
    let from = row
    store<u16>(out, above(from, t0, t1, t2, t3))
    from += bytes
    let to = out + apart
    store<u16>(to, above(from, t0, t1, t2, t3))
    from += bytes
    to += apart
    store<u16>(to, above(from, t0, t1, t2, t3))
    from += bytes
    to += apart
    store<u16>(to, above(from, t0, t1, t2, t3))
    row += 64
    threshold += 64
    out += 2
  }
}

/** The same for one row. */
function maskOne(row: usize, threshold: usize, out: usize): void {
  for (const end = row + ((<usize>width) << 2); row < end; row += 64) {
    const t0 = v128.load(threshold)
    const t1 = v128.load(threshold, 16)
    const t2 = v128.load(threshold, 32)
    store<u16>(out, above(row, t0, t1, t2, v128.load(threshold, 48)))
    threshold += 64
    out += 2
  }
}

function above(row: usize, t0: v128, t1: v128, t2: v128, t3: v128): i32 {
  const a = i16x8.narrow_i32x4_s(f32x4.le(v128.load(row), t0), f32x4.le(v128.load(row, 16), t1))
  const b = i16x8.narrow_i32x4_s(f32x4.le(v128.load(row, 32), t2), f32x4.le(v128.load(row, 48), t3))
  return ~i8x16.bitmask(i8x16.narrow_i16x8_s(a, b))
}

/** The bits of a row's experts; what `above` saw behind the last of them is cleared. */
function count(masks: usize, words: i32): i32 {
  const last = masks + ((<usize>(words - 1)) << 3)
  store<u64>(last, load<u64>(last) & (u64.MAX_VALUE >> (-width & 63)))
  let n: i64 = 0
  for (let w = 0; w < words; w++) n += popcnt(load<i64>(masks + ((<usize>w) << 3)))
  return <i32>n
}

/** Fewer than K candidates, or more than have places. */
function isUnfit(n: i32): boolean {
  return <u32>(n - slots) > <u32>(places - slots)
}

/** Lists the candidates of the tokens; gives where the list ends. */
function compact(rows: usize, tokens: i32): usize {
  const words = (width + 63) >> 6
  const rowBytes = (<usize>width) << 2
  const thresholdBytes = ((<usize>width + 15) & ~15) << 2
  let masks = scratch + atMasks
  let at = scratch
  for (let t = 0; t < tokens; t++) {
    let own = masks
    let n = count(own, words)
    let level = 0
    if (isUnfit(n)) {
      level = n < slots ? 1 : 2
      own = scratch + atOwn
      maskOne(rows, thresholds + <usize>level * thresholdBytes, own)
      n = count(own, words)
      if (isUnfit(n)) {
        later(t)
        n = 0
      }
    }
    const info = scratch + ((<usize>t) << 2)
    store<i32>(info, <i32>(at - scratch), atStarts)
    const cuts = scratch + ((<usize>level) << 2)
    store<i32>(info, load<i32>(cuts, atCuts), atLevels)
    store<i32>(info, load<i32>(cuts, atCuts + 16), atLeast)
    if (n > 0) {
      let row = rows
      let bias = biases
      let first = 0
      for (let w = 0; w < words; w++) {
        let bits = load<i64>(own + ((<usize>w) << 3))
        const end = at + ((<usize>popcnt(bits)) << 2)
        for (; at < end; at += 16) {
          const bits1 = bits & (bits - 1)
          const bits2 = bits1 & (bits1 - 1)
          const bits3 = bits2 & (bits2 - 1)
          const e0 = <i32>ctz(bits)
          const e1 = <i32>ctz(bits1)
          const e2 = <i32>ctz(bits2)
          const e3 = <i32>ctz(bits3)
          bits = bits3 & (bits3 - 1)
          store<i32>(at, first + e0, atExperts)
          store<i32>(at, first + e1, atExperts + 4)
          store<i32>(at, first + e2, atExperts + 8)
          store<i32>(at, first + e3, atExperts + 12)
          v128.store(at, pick(row, e0, e1, e2, e3), atLogits)
          v128.store(at, pick(bias, e0, e1, e2, e3), atBiases)
        }
        at = end
        row += 256
        bias += 256
        first += 64
      }
    }
    masks += (<usize>words) << 3
    rows += rowBytes
  }
  const after = scratch + ((<usize>tokens) << 2)
  v128.store(after, i32x4.splat(<i32>(at - scratch)), atStarts)
  v128.store(after, i32x4.splat(i32.MAX_VALUE), atLevels)
  v128.store(at, i32x4.splat(0), atLogits)
  return at
}

function later(t: i32): void {
  store<i32>(scratch + ((<usize>slow) << 2), t, atSlow)
  slow++
}

/** Four of the float32 numbers at `from`; where bits ran out, the one at 64. */
function pick(from: usize, e0: i32, e1: i32, e2: i32, e3: i32): v128 {
  let lanes = v128.load32_zero(from + ((<usize>e0) << 2))
  lanes = v128.load32_lane(from + ((<usize>e1) << 2), lanes, 1)
  lanes = v128.load32_lane(from + ((<usize>e2) << 2), lanes, 2)
  return v128.load32_lane(from + ((<usize>e3) << 2), lanes, 3)
}

/** Scores, keys and ranks of the list up to `end`; 0 if a logit is NaN or +∞. */
function score(end: usize): i32 {
  if (kind === 0) sigmoids(scratch + atLogits, end + atLogits, scratch + atScores)
  for (let at = scratch; kind > 0 && at < end; at += 16) {
    const x = v128.load(at, atLogits)
    v128.store(at, kind === 1 ? sqrtSoftpluses(x) : x, atScores)
  }
  // A loop of its own, with no call in it and what is set by `plan` read before: so its constants stay in registers.
  const least = i32x4.splat(base)
  const most = i32x4.splat(0x7fffffff >> placeBits)
  const dropped = drop
  const bits = placeBits
  let ordered = i32x4.splat(-1)
  for (let at = scratch; at < end; at += 16) {
    ordered = v128.and(ordered, f32x4.lt(v128.load(at, atLogits), f32x4.splat(Infinity)))
    const key = f32x4.add(f32x4.add(v128.load(at, atScores), v128.load(at, atBiases)), f32x4.splat(0))
    v128.store(at, key, atKeys)
    const order = v128.xor(key, v128.and(i32x4.shr_s(key, 31), i32x4.splat(0x7fffffff)))
    const rank = i32x4.shr_u(i32x4.sub(i32x4.max_s(order, least), least), dropped)
    v128.store(at, i32x4.shl(i32x4.min_u(rank, most), bits), atRanks)
  }
  return <i32>i32x4.all_true(ordered)
}

/** Finds the best K of four tokens, in order, from token `t` of the block on, and emits them. */
function rank(t: i32, none: usize, experts: usize, weights: usize, kths: usize, tops: usize): void {
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

/**
 * Writes out four tokens, so many bytes apart: the experts at the places in the four lanes of the sorted rows, counted from
 * where each one's list starts, their weights, and their load. The first is written last.
 */
function emit(
  list0: usize,
  list1: usize,
  list2: usize,
  list3: usize,
  apart: usize,
  experts: usize,
  weights: usize,
): void {
  const sorted = scratch + atSorted
  const end = sorted + ((<usize>slots) << 4)
  const far = apart << 1
  let selected = scratch + atSelected
  let sum0 = f64x2.splat(0)
  let sum1 = f64x2.splat(0)
  for (let at = sorted; at < end; at += 16) {
    const from3 = list3 + <usize>load<i32>(at, 12)
    const from2 = list2 + <usize>load<i32>(at, 8)
    const from1 = list1 + <usize>load<i32>(at, 4)
    const from0 = list0 + <usize>load<i32>(at)
    choose(from3, experts + apart + far)
    choose(from2, experts + far)
    choose(from1, experts + apart)
    choose(from0, experts)
    experts += 4
    const low = v128.load32_lane(from1, v128.load32_zero(from0, atScores), 1, atScores)
    const high = v128.load32_lane(from3, v128.load32_zero(from2, atScores), 1, atScores)
    const score0 = f64x2.promote_low_f32x4(low)
    const score1 = f64x2.promote_low_f32x4(high)
    v128.store(selected, score0)
    v128.store(selected, score1, 16)
    selected += 32
    sum0 = f64x2.add(sum0, score0)
    sum1 = f64x2.add(sum1, score1)
  }
  const first = scratch + atSelected
  if (kind === 3) {
    sum0 = powers(first, selected)
    sum1 = powers(first + 16, selected)
  } else if (divide) {
    sum0 = f64x2.add(sum0, f64x2.splat(extra))
    sum1 = f64x2.add(sum1, f64x2.splat(extra))
  } else {
    sum0 = f64x2.splat(1)
    sum1 = sum0
  }
  for (let at = first; at < selected; at += 32) {
    const four = demote(weigh(v128.load(at), sum0), weigh(v128.load(at, 16), sum1))
    v128.store32_lane(weights + apart + far, four, 3)
    v128.store32_lane(weights + far, four, 2)
    v128.store32_lane(weights + apart, four, 1)
    v128.store32_lane(weights, four, 0)
    weights += 4
  }
}

function choose(from: usize, to: usize): void {
  const expert = load<i32>(from, atExperts)
  store<i32>(to, expert)
  const count = loads + ((<isize>expert) << 2)
  store<i32>(count, load<i32>(count) + 1)
}

function weigh(score: v128, divisor: v128): v128 {
  const weight = f64x2.mul(f64x2.div(score, divisor), f64x2.splat(factor))
  return v128.and(weight, f64x2.gt(score, f64x2.splat(0)))
}

/** Turns the selected logits of two tokens into the powers of their softmax; gives the sums. Empty slots hold −∞. */
function powers(at: usize, end: usize): v128 {
  const largest = v128.load(at)
  let sum = f64x2.splat(0)
  for (; at < end; at += 32) {
    const power = exp(f64x2.sub(v128.load(at), largest))
    v128.store(at, power)
    sum = f64x2.add(sum, power)
  }
  return sum
}

/** What empty slots read, at the end of a list. */
function close(end: usize): void {
  v128.store(end, i32x4.splat(0), atLogits)
  store<i32>(end, -1, atExperts)
  store<f32>(end, kind === 3 ? -Infinity : 0, atScores)
}

/** The whole way for one token: every score, groups, and a plain selection; 0 if a logit is NaN or +∞. */
function whole(row: usize, experts: usize, weights: usize, kth: usize, top: usize): i32 {
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

/** The order of a key's bits among all float32 numbers, as a whole number; its own inverse. */
function orderOf(bits: i32): i32 {
  return bits ^ ((bits >> 31) & 0x7fffffff)
}

/**
 * Leaves the best K only the best groups of a token, whose experts are listed in order from `start` to `end`: the keys of
 * the others become −∞, their ranks 0. Experts that are not listed have keys below `cut`. Gives the least key that the
 * choice of groups hangs on; if it is below the cut, another group may be better, and no rank is left.
 */
function keepGroups(start: usize, end: usize, cut: f32): f32 {
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
function keepGroupsOfEach(tokens: i32): void {
  const end = scratch + ((<usize>tokens) << 2)
  for (let info = scratch; info < end; info += 4) {
    const from = load<i32>(info, atStarts)
    const to = load<i32>(info, atStarts + 4)
    if (to === from) continue
    const least = keepGroups(scratch + from, scratch + to, load<f32>(info, atLeast))
    store<f32>(info, least, atLeast)
  }
}

/** The places of the `wanted` largest of `n` keys above −∞ to best + 4096, the keys to best, in order; −1 and −∞ at the end. */
function select(keys: usize, n: i32, wanted: i32, best: usize): void {
  const last = best + ((<usize>(wanted - 1)) << 2)
  for (let at = best; at <= last; at += 4) {
    store<f32>(at, -Infinity)
    store<i32>(at, -1, 4096)
  }
  let least: f32 = -Infinity
  for (let i = 0; i < n; i++) {
    const key = load<f32>(keys + ((<usize>i) << 2))
    if (!(key > least)) continue
    let at = last
    for (; at > best && key > load<f32>(at - 4); at -= 4) {
      store<f32>(at, load<f32>(at - 4))
      store<i32>(at, load<i32>(at - 4, 4096), 4096)
    }
    store<f32>(at, key)
    store<i32>(at, i, 4096)
    least = load<f32>(last)
  }
}

/**
 * Routes tokens [n, E] at `rows`: experts and weights [n, K], added to the load [E]; `kths` and `tops` [n] get the order of
 * the K-th and of the best key, exact or nearly. 0 if a logit is NaN or +∞; the results are worthless then.
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
  for (let from = 0; from < tokens; from += block) {
    const some = min(block, tokens - from)
    fetch(rows, <usize>some * rowBytes) // saves 5 % of the time where they come from memory
    let row = rows
    let masks = scratch + atMasks
    for (let t = 0; t < some; t += 4) {
      mask(row, thresholds, masks, words)
      row += rowBytes << 2
      masks += (<usize>words) << 5
    }
    slow = 0
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
  return 1
}
