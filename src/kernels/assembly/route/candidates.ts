import {
  atBiases,
  atCuts,
  atExperts,
  atLeast,
  atLevels,
  atLogits,
  atMasks,
  atOwn,
  atStarts,
  biases,
  cutKeys,
  firstLevel,
  levels,
  places,
  scratch,
  slots,
  thresholdsOf,
  width,
} from './plan'
import { later } from './slow-tokens'

/** For each of four rows, a bit for each expert whose logit is above the threshold, or NaN; so many words apart. */
export function mask(row: usize, threshold: usize, out: usize, words: i32): void {
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

/** Clears what `above` saw behind the last expert of a row, and counts the bits. */
function counted(masks: usize, words: i32): i32 {
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

/** Lists the candidates of the tokens, each above the cut that suits it; gives where the list ends. */
export function compact(rows: usize, tokens: i32): usize {
  const words = (width + 63) >> 6
  const rowBytes = (<usize>width) << 2
  let masks = scratch + atMasks
  let at = scratch
  for (let t = 0; t < tokens; t++) {
    let own = masks
    let n = counted(own, words)
    let level = firstLevel
    for (let least = 0, most = levels - 1; isUnfit(n); ) {
      if (n < slots) most = level - 1
      else least = level + 1
      if (least > most) {
        later(t)
        n = 0
        break
      }
      level = (least + most + 1) >> 1
      own = scratch + atOwn
      maskOne(rows, thresholdsOf(level), own)
      n = counted(own, words)
    }
    const info = scratch + ((<usize>t) << 2)
    store<i32>(info, <i32>(at - scratch), atStarts)
    const at4 = (<usize>level) << 2
    store<i32>(info, load<i32>(scratch + at4, atCuts), atLevels)
    store<i32>(info, load<i32>(cutKeys + at4), atLeast)
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

/** Four of the float32 numbers at `from`; where bits ran out, the one at 64. */
function pick(from: usize, e0: i32, e1: i32, e2: i32, e3: i32): v128 {
  let lanes = v128.load32_zero(from + ((<usize>e0) << 2))
  lanes = v128.load32_lane(from + ((<usize>e1) << 2), lanes, 1)
  lanes = v128.load32_lane(from + ((<usize>e2) << 2), lanes, 2)
  return v128.load32_lane(from + ((<usize>e3) << 2), lanes, 3)
}
