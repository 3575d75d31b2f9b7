import { fetch } from './fetch'

/** Rows that stay in the second-level cache while every panel passes over them. */
const chunk: i32 = 64

/**
 * 16 rows [16, I] of a weight as one panel [I, 16]: so the inner loop of `linear` reads straight on. 0 if one of its values
 * is not finite.
 */
export function pack(rows: usize, packed: usize, inputs: i32): i32 {
  const rowBytes = (<usize>inputs) << 2
  let zeros = f32x4.splat(0)
  for (let end = rows + rowBytes; rows < end; rows += 4) {
    let row = rows
    for (let vector = 0; vector < 4; vector++) {
      let lanes = v128.load32_zero(row)
      lanes = v128.load32_lane(row + rowBytes, lanes, 1)
      row += rowBytes << 1
      lanes = v128.load32_lane(row, lanes, 2)
      lanes = v128.load32_lane(row + rowBytes, lanes, 3)
      row += rowBytes << 1
      v128.store(packed, lanes)
      zeros = f32x4.add(zeros, f32x4.mul(lanes, f32x4.splat(0)))
      packed += 16
    }
  }
  return <i32>i32x4.all_true(f32x4.eq(zeros, zeros))
}

/**
 * Rows [n, I], `stride` bytes apart, times a packed weight, plus bias [16 · panels], into out [n, 16 · panels]. Row r is the
 * one at places[r], or at r if `places` is 0. Each output is one lane's own sum over I, in order, product and sum rounded
 * each, so the bits are those of the plain loop.
 */
export function linear(
  rows: usize,
  stride: usize,
  places: usize,
  packed: usize,
  bias: usize,
  out: usize,
  count: i32,
  inputs: i32,
  panels: i32,
): void {
  const rowBytes = (<usize>inputs) << 2
  const outBytes = (<usize>panels) << 6
  for (let from = 0; from < count; from += chunk) {
    const to = min(from + chunk, count)
    for (let p = 0; p < panels; p++) {
      const weights = packed + <usize>p * (rowBytes << 4)
      if (from === 0) fetch(weights, rowBytes << 4)
      const lanes = (<usize>p) << 6
      let to16 = out + <usize>from * outBytes + lanes
      for (let r = from; r < to; r += 2) {
        const row = rows + placed(places, r) * stride
        if (r + 1 === to) one(row, rowBytes, weights, bias + lanes, to16)
        else {
          const apart = rows + placed(places, r + 1) * stride - row
          two(row, apart, rowBytes, weights, bias + lanes, to16, outBytes)
        }
        to16 += outBytes << 1
      }
    }
  }
}

function placed(places: usize, r: i32): usize {
  return places === 0 ? <usize>r : <usize>load<u32>(places + ((<usize>r) << 2))
}

// Two rows by 16 outputs, eight sums. V8 lays them out from the last to the first and moves no load before another: in this
// order each load stands next to its use, and nothing is spilled.
function two(
  row: usize,
  apart: usize,
  rowBytes: usize,
  weights: usize,
  bias: usize,
  out: usize,
  outBytes: usize,
): void {
  const end = row + rowBytes
  let a0 = f32x4.splat(0)
  let a1 = f32x4.splat(0)
  let a2 = f32x4.splat(0)
  let a3 = f32x4.splat(0)
  let b0 = f32x4.splat(0)
  let b1 = f32x4.splat(0)
  let b2 = f32x4.splat(0)
  let b3 = f32x4.splat(0)
  while (row < end) {
    const y = v128.load32_splat(row + apart)
    const w3 = v128.load(weights, 48)
    b3 = f32x4.add(b3, f32x4.mul(y, w3))
    const w2 = v128.load(weights, 32)
    b2 = f32x4.add(b2, f32x4.mul(y, w2))
    const w1 = v128.load(weights, 16)
    b1 = f32x4.add(b1, f32x4.mul(y, w1))
    const w0 = v128.load(weights)
    b0 = f32x4.add(b0, f32x4.mul(y, w0))
    const x = v128.load32_splat(row)
    a3 = f32x4.add(a3, f32x4.mul(x, w3))
    a2 = f32x4.add(a2, f32x4.mul(x, w2))
    a1 = f32x4.add(a1, f32x4.mul(x, w1))
    a0 = f32x4.add(a0, f32x4.mul(x, w0))
    row += 4
    weights += 64
  }
  storeWith(out, bias, a0, a1, a2, a3)
  storeWith(out + outBytes, bias, b0, b1, b2, b3)
}

function one(row: usize, rowBytes: usize, weights: usize, bias: usize, out: usize): void {
  const end = row + rowBytes
  let a0 = f32x4.splat(0)
  let a1 = f32x4.splat(0)
  let a2 = f32x4.splat(0)
  let a3 = f32x4.splat(0)
  while (row < end) {
    const x = v128.load32_splat(row)
    a0 = f32x4.add(a0, f32x4.mul(x, v128.load(weights)))
    a1 = f32x4.add(a1, f32x4.mul(x, v128.load(weights, 16)))
    a2 = f32x4.add(a2, f32x4.mul(x, v128.load(weights, 32)))
    a3 = f32x4.add(a3, f32x4.mul(x, v128.load(weights, 48)))
    row += 4
    weights += 64
  }
  storeWith(out, bias, a0, a1, a2, a3)
}

export function storeWith(out: usize, bias: usize, a: v128, b: v128, c: v128, d: v128): void {
  v128.store(out, f32x4.add(a, v128.load(bias)))
  v128.store(out, f32x4.add(b, v128.load(bias, 16)), 16)
  v128.store(out, f32x4.add(c, v128.load(bias, 32)), 32)
  v128.store(out, f32x4.add(d, v128.load(bias, 48)), 48)
}
