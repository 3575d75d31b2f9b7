/** Rows that stay in the second-level cache while every panel passes over them. */
const chunk: i32 = 64

/** 16 rows [16, I] of a weight as one panel [I, 16]: so the inner loop of `linear` reads straight on. */
export function pack(rows: usize, packed: usize, inputs: i32): void {
  const rowBytes = (<usize>inputs) << 2
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
      packed += 16
    }
  }
}

/**
 * rows [n, I], `stride` bytes apart, times a packed weight, plus bias [16 · panels], into out [n, 16 · panels]. Each output
 * is one lane's own sum over I, in order, product and sum rounded each, so the bits are those of the plain loop.
 */
export function linear(
  rows: usize,
  stride: usize,
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
      const lanes = (<usize>p) << 6
      let row = rows + <usize>from * stride
      let to16 = out + <usize>from * outBytes + lanes
      let left = to - from
      for (; left >= 2; left -= 2) {
        two(row, stride, rowBytes, weights, bias + lanes, to16, outBytes)
        row += stride << 1
        to16 += outBytes << 1
      }
      if (left) one(row, rowBytes, weights, bias + lanes, to16)
    }
  }
}

// Two rows by 16 outputs: eight sums are as many as V8 keeps in registers. With more, or unrolled by hand, it spills.
function two(
  row: usize,
  stride: usize,
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
    const w0 = v128.load(weights)
    const w1 = v128.load(weights, 16)
    const w2 = v128.load(weights, 32)
    const w3 = v128.load(weights, 48)
    const x = v128.load32_splat(row)
    a0 = f32x4.add(a0, f32x4.mul(x, w0))
    a1 = f32x4.add(a1, f32x4.mul(x, w1))
    a2 = f32x4.add(a2, f32x4.mul(x, w2))
    a3 = f32x4.add(a3, f32x4.mul(x, w3))
    const y = v128.load32_splat(row + stride)
    b0 = f32x4.add(b0, f32x4.mul(y, w0))
    b1 = f32x4.add(b1, f32x4.mul(y, w1))
    b2 = f32x4.add(b2, f32x4.mul(y, w2))
    b3 = f32x4.add(b3, f32x4.mul(y, w3))
    row += 4
    weights += 64
  }
  store(out, bias, a0, a1, a2, a3)
  store(out + outBytes, bias, b0, b1, b2, b3)
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
  store(out, bias, a0, a1, a2, a3)
}

function store(out: usize, bias: usize, a: v128, b: v128, c: v128, d: v128): void {
  v128.store(out, f32x4.add(a, v128.load(bias)))
  v128.store(out, f32x4.add(b, v128.load(bias, 16)), 16)
  v128.store(out, f32x4.add(c, v128.load(bias, 32)), 32)
  v128.store(out, f32x4.add(d, v128.load(bias, 48)), 48)
}
