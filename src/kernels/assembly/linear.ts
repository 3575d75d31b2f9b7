/** Outputs of one panel of packed weights: two vectors of four lanes. */
const panel: i32 = 8

/** Rows that stay in the second-level cache while every panel passes over them. */
const chunk: i32 = 64

/** A weight [O, I] as panels of 8 outputs, [⌈O/8⌉, I, 8], filled up with 0: so the inner loop reads straight on. */
export function pack(weight: usize, packed: usize, inputs: i32, outputs: i32): void {
  for (let first = 0; first < outputs; first += panel) {
    for (let i = 0; i < inputs; i++) {
      for (let lane = 0; lane < panel; lane++) {
        const output = first + lane
        const value = output < outputs ? load<f32>(weight + ((<usize>(output * inputs + i)) << 2)) : 0
        store<f32>(packed, value)
        packed += 4
      }
    }
  }
}

/**
 * rows [n, I] times a packed weight, plus bias [8 · ⌈O/8⌉], into out [n, 8 · ⌈O/8⌉]. Each output is one lane's own sum over
 * I, in order, product and sum rounded each, so the bits are those of the plain loop.
 */
export function linear(
  rows: usize,
  packed: usize,
  bias: usize,
  out: usize,
  count: i32,
  inputs: i32,
  panels: i32,
): void {
  const rowBytes = (<usize>inputs) << 2
  const outBytes = (<usize>panels) << 5
  for (let from = 0; from < count; from += chunk) {
    const to = min(from + chunk, count)
    for (let p = 0; p < panels; p++) {
      const weights = packed + <usize>p * (rowBytes << 3)
      const lanes = (<usize>p) << 5
      const b0 = v128.load(bias + lanes)
      const b1 = v128.load(bias + lanes, 16)
      let row = from
      for (; row + 4 <= to; row += 4) {
        four(
          rows + <usize>row * rowBytes,
          rowBytes,
          weights,
          b0,
          b1,
          out + <usize>row * outBytes + lanes,
          outBytes,
        )
      }
      for (; row < to; row++) {
        one(rows + <usize>row * rowBytes, rowBytes, weights, b0, b1, out + <usize>row * outBytes + lanes)
      }
    }
  }
}

function four(
  row: usize,
  rowBytes: usize,
  weights: usize,
  b0: v128,
  b1: v128,
  out: usize,
  outBytes: usize,
): void {
  const end = row + rowBytes
  const second = rowBytes
  const third = rowBytes << 1
  const fourth = second + third
  let a0 = f32x4.splat(0)
  let a1 = f32x4.splat(0)
  let c0 = f32x4.splat(0)
  let c1 = f32x4.splat(0)
  let d0 = f32x4.splat(0)
  let d1 = f32x4.splat(0)
  let e0 = f32x4.splat(0)
  let e1 = f32x4.splat(0)
  while (row < end) {
    const w0 = v128.load(weights)
    const w1 = v128.load(weights, 16)
    const x = v128.load32_splat(row)
    a0 = f32x4.add(a0, f32x4.mul(x, w0))
    a1 = f32x4.add(a1, f32x4.mul(x, w1))
    const y = v128.load32_splat(row + second)
    c0 = f32x4.add(c0, f32x4.mul(y, w0))
    c1 = f32x4.add(c1, f32x4.mul(y, w1))
    const z = v128.load32_splat(row + third)
    d0 = f32x4.add(d0, f32x4.mul(z, w0))
    d1 = f32x4.add(d1, f32x4.mul(z, w1))
    const u = v128.load32_splat(row + fourth)
    e0 = f32x4.add(e0, f32x4.mul(u, w0))
    e1 = f32x4.add(e1, f32x4.mul(u, w1))
    row += 4
    weights += 32
  }
  v128.store(out, f32x4.add(a0, b0))
  v128.store(out, f32x4.add(a1, b1), 16)
  out += outBytes
  v128.store(out, f32x4.add(c0, b0))
  v128.store(out, f32x4.add(c1, b1), 16)
  out += outBytes
  v128.store(out, f32x4.add(d0, b0))
  v128.store(out, f32x4.add(d1, b1), 16)
  out += outBytes
  v128.store(out, f32x4.add(e0, b0))
  v128.store(out, f32x4.add(e1, b1), 16)
}

function one(row: usize, rowBytes: usize, weights: usize, b0: v128, b1: v128, out: usize): void {
  const end = row + rowBytes
  let a0 = f32x4.splat(0)
  let a1 = f32x4.splat(0)
  while (row < end) {
    const x = v128.load32_splat(row)
    a0 = f32x4.add(a0, f32x4.mul(x, v128.load(weights)))
    a1 = f32x4.add(a1, f32x4.mul(x, v128.load(weights, 16)))
    row += 4
    weights += 32
  }
  v128.store(out, f32x4.add(a0, b0))
  v128.store(out, f32x4.add(a1, b1), 16)
}
