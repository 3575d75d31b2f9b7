import { fetch } from './fetch'
import { storeWith } from './linear'

/** Inputs that are taken at a time: their weights in three panels stay in the first-level cache while every row passes. */
const chunk: i32 = 64
/** 48 of them: where sums start, and what is added to those that go on. */
const zeros = memory.data(192, 16)

/**
 * What `linear` makes of rows [n, I], `stride` bytes apart, for rows that hold many zeros, I a multiple of 4 and two panels
 * or more of weights that are all finite: a zero times a weight is a zero, which changes no sum, for none is ever −0.
 * `entries` is room for n · (I + 1) pairs.
 */
export function sparse(
  rows: usize,
  stride: usize,
  entries: usize,
  packed: usize,
  bias: usize,
  out: usize,
  count: i32,
  inputs: i32,
  panels: i32,
): void {
  const rowEntries = (<usize>(min(inputs, chunk) + 1)) << 3
  const panelBytes = (<usize>inputs) << 6
  const outBytes = (<usize>panels) << 6
  const end = entries + <usize>count * rowEntries
  for (let from = 0; from < inputs; from += chunk) {
    const some = min(inputs - from, chunk)
    let values = rows + ((<usize>from) << 2)
    for (let row = entries; row < end; row += rowEntries) {
      list(values, row, some)
      values += stride
    }
    let weights = packed + ((<usize>from) << 6)
    let last = from + some === inputs ? bias : zeros
    let sums = out
    for (let left = panels; left; ) {
      const taken = left === 2 || left === 4 ? 2 : 3
      for (let p = 0; p < taken; p++) fetch(weights + panelBytes * p, (<usize>some) << 6)
      let to = sums
      for (let row = entries; row < end; row += rowEntries) {
        const first = from === 0 ? zeros : to
        if (taken === 3) triple(row, weights, panelBytes, first, last, to)
        else pair(row, weights, panelBytes, first, last, to)
        to += outBytes
      }
      weights += panelBytes * taken
      if (last !== zeros) last += taken << 6
      sums += taken << 6
      left -= taken
    }
  }
}

/** What is not 0 in a row, as pairs: bytes of a panel in front of its weights, and the value. In front of them, where they end. */
function list(row: usize, entries: usize, inputs: i32): void {
  let to = entries + 8
  let at = i32x4(0, 64, 128, 192)
  for (const end = row + ((<usize>inputs) << 2); row < end; row += 16) {
    const values = v128.load(row)
    const kept = <usize>i32x4.bitmask(f32x4.ne(values, f32x4.splat(0)))
    const low = i32x4.shuffle(at, values, 0, 4, 1, 5)
    const high = i32x4.shuffle(at, values, 2, 6, 3, 7)
    v128.store64_lane(to, low, 0)
    to += (kept & 1) << 3
    v128.store64_lane(to, low, 1)
    to += (kept & 2) << 2
    v128.store64_lane(to, high, 0)
    to += (kept & 4) << 1
    v128.store64_lane(to, high, 1)
    to += kept & 8
    at = i32x4.add(at, i32x4.splat(256))
  }
  store<u32>(entries, <u32>to)
}

// Two or three panels of one row: the sums that lie at `first` go on, and what lies at `last` is added in the end. From the last
// sum to the first as in ./linear.ts. Three cost less apiece: a row's entries are read for more sums. Exported, so that they
// stay functions: V8 unrolls what lies within other loops, and would spill.
export function pair(
  entries: usize,
  weights: usize,
  panelBytes: usize,
  first: usize,
  last: usize,
  out: usize,
): void {
  const end = <usize>load<u32>(entries)
  let a0 = v128.load(first)
  let a1 = v128.load(first, 16)
  let a2 = v128.load(first, 32)
  let a3 = v128.load(first, 48)
  let b0 = v128.load(first, 64)
  let b1 = v128.load(first, 80)
  let b2 = v128.load(first, 96)
  let b3 = v128.load(first, 112)
  for (let entry = entries + 8; entry < end; entry += 8) {
    const a = weights + <usize>load<u32>(entry)
    const x = v128.load32_splat(entry, 4)
    const b = a + panelBytes
    b3 = f32x4.add(b3, f32x4.mul(x, v128.load(b, 48)))
    b2 = f32x4.add(b2, f32x4.mul(x, v128.load(b, 32)))
    b1 = f32x4.add(b1, f32x4.mul(x, v128.load(b, 16)))
    b0 = f32x4.add(b0, f32x4.mul(x, v128.load(b)))
    a3 = f32x4.add(a3, f32x4.mul(x, v128.load(a, 48)))
    a2 = f32x4.add(a2, f32x4.mul(x, v128.load(a, 32)))
    a1 = f32x4.add(a1, f32x4.mul(x, v128.load(a, 16)))
    a0 = f32x4.add(a0, f32x4.mul(x, v128.load(a)))
  }
  storeWith(out, last, a0, a1, a2, a3)
  storeWith(out + 64, last + 64, b0, b1, b2, b3)
}

export function triple(
  entries: usize,
  weights: usize,
  panelBytes: usize,
  first: usize,
  last: usize,
  out: usize,
): void {
  const end = <usize>load<u32>(entries)
  let a0 = v128.load(first)
  let a1 = v128.load(first, 16)
  let a2 = v128.load(first, 32)
  let a3 = v128.load(first, 48)
  let b0 = v128.load(first, 64)
  let b1 = v128.load(first, 80)
  let b2 = v128.load(first, 96)
  let b3 = v128.load(first, 112)
  let c0 = v128.load(first, 128)
  let c1 = v128.load(first, 144)
  let c2 = v128.load(first, 160)
  let c3 = v128.load(first, 176)
  for (let entry = entries + 8; entry < end; entry += 8) {
    const a = weights + <usize>load<u32>(entry)
    const x = v128.load32_splat(entry, 4)
    const b = a + panelBytes
    const c = b + panelBytes
    c3 = f32x4.add(c3, f32x4.mul(x, v128.load(c, 48)))
    c2 = f32x4.add(c2, f32x4.mul(x, v128.load(c, 32)))
    c1 = f32x4.add(c1, f32x4.mul(x, v128.load(c, 16)))
    c0 = f32x4.add(c0, f32x4.mul(x, v128.load(c)))
    b3 = f32x4.add(b3, f32x4.mul(x, v128.load(b, 48)))
    b2 = f32x4.add(b2, f32x4.mul(x, v128.load(b, 32)))
    b1 = f32x4.add(b1, f32x4.mul(x, v128.load(b, 16)))
    b0 = f32x4.add(b0, f32x4.mul(x, v128.load(b)))
    a3 = f32x4.add(a3, f32x4.mul(x, v128.load(a, 48)))
    a2 = f32x4.add(a2, f32x4.mul(x, v128.load(a, 32)))
    a1 = f32x4.add(a1, f32x4.mul(x, v128.load(a, 16)))
    a0 = f32x4.add(a0, f32x4.mul(x, v128.load(a)))
  }
  storeWith(out, last, a0, a1, a2, a3)
  storeWith(out + 64, last + 64, b0, b1, b2, b3)
  storeWith(out + 128, last + 128, c0, c1, c2, c3)
}
