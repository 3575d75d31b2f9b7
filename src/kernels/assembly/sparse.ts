import { fetch } from './fetch'
import { storeWith } from './linear'

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
  const rowEntries = (<usize>(inputs + 1)) << 3
  const panelBytes = (<usize>inputs) << 6
  const outBytes = (<usize>panels) << 6
  const end = entries + <usize>count * rowEntries
  for (let row = entries; row < end; row += rowEntries) {
    list(rows, row, inputs)
    rows += stride
  }
  while (panels) {
    const taken = panels === 2 || panels === 4 ? 2 : 3
    let to = out
    fetch(packed, panelBytes * taken)
    for (let row = entries; row < end; row += rowEntries) {
      if (taken === 3) triple(row, packed, panelBytes, bias, to)
      else pair(row, packed, panelBytes, bias, to)
      to += outBytes
    }
    packed += panelBytes * taken
    bias += taken << 6
    out += taken << 6
    panels -= taken
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

// Two or three panels of one row, from the last sum to the first as in ./linear.ts. Three cost less apiece: a row's entries
// are read for more sums. Exported, so that they stay functions: V8 unrolls what lies within other loops, and would spill.
export function pair(entries: usize, weights: usize, panelBytes: usize, bias: usize, out: usize): void {
  const end = <usize>load<u32>(entries)
  let a0 = f32x4.splat(0)
  let a1 = f32x4.splat(0)
  let a2 = f32x4.splat(0)
  let a3 = f32x4.splat(0)
  let b0 = f32x4.splat(0)
  let b1 = f32x4.splat(0)
  let b2 = f32x4.splat(0)
  let b3 = f32x4.splat(0)
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
  storeWith(out, bias, a0, a1, a2, a3)
  storeWith(out + 64, bias + 64, b0, b1, b2, b3)
}

export function triple(entries: usize, weights: usize, panelBytes: usize, bias: usize, out: usize): void {
  const end = <usize>load<u32>(entries)
  let a0 = f32x4.splat(0)
  let a1 = f32x4.splat(0)
  let a2 = f32x4.splat(0)
  let a3 = f32x4.splat(0)
  let b0 = f32x4.splat(0)
  let b1 = f32x4.splat(0)
  let b2 = f32x4.splat(0)
  let b3 = f32x4.splat(0)
  let c0 = f32x4.splat(0)
  let c1 = f32x4.splat(0)
  let c2 = f32x4.splat(0)
  let c3 = f32x4.splat(0)
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
  storeWith(out, bias, a0, a1, a2, a3)
  storeWith(out + 64, bias + 64, b0, b1, b2, b3)
  storeWith(out + 128, bias + 128, c0, c1, c2, c3)
}
