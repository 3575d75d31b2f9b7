import {
  demote,
  evenPart,
  fraction,
  inDoubt,
  isFar,
  nearSigmoid,
  oddPart,
  sigmoid,
  turns,
  wholes,
} from './elementary'
import { fetch } from './fetch'

// What stands around the matrices of experts: rows in, hidden units, rows out. Widths are multiples of 16 floats.

/** Row r becomes factors[r] · inputs[places[r]]. */
export function gather(
  inputs: usize,
  places: usize,
  factors: usize,
  rows: usize,
  count: i32,
  width: i32,
): void {
  const rowBytes = (<usize>width) << 2
  for (let r = 0; r < count; r++) {
    const factor = v128.load32_splat(factors)
    const shift = inputs + <usize>load<i32>(places) * rowBytes - rows
    for (const end = rows + rowBytes; rows < end; rows += 16) {
      v128.store(rows, f32x4.mul(factor, v128.load(rows + shift)))
    }
    places += 4
    factors += 4
  }
}

/** Hidden units into `up`, as ../activations.ts has them; `curve` is the place of the activation there, but not of gelu. */
export function activate(curve: i32, gated: i32, gate: usize, up: usize, count: i32): void {
  const end = up + ((<usize>count) << 2)
  // One product of two float32 is exact in float64, so float32 rounds it to the same.
  for (; curve + gated < 2 && up < end; up += 16) {
    let x = f32x4.pmax(v128.load(gate), f32x4.splat(0))
    if (curve) x = f32x4.mul(x, x)
    if (gated) x = f32x4.mul(x, v128.load(up))
    v128.store(up, x)
    gate += 16
  }
  // A loop of its own: one that calls a function keeps its vectors in memory.
  for (; curve < 2 && up < end; up += 8) {
    const x = f64x2.pmax(two(gate), f64x2.splat(0))
    v128.store64_lane(up, f32x4.demote_f64x2_zero(f64x2.mul(f64x2.mul(x, x), two(up))), 0)
    gate += 8
  }
  for (; up < end; up += 16) {
    const x0 = gateOf(curve, gate)
    const x1 = gateOf(curve, gate + 8)
    const y0 = upOf(curve, gated, up)
    const y1 = upOf(curve, gated, up + 8)
    const argument0 = argumentOf(curve, x0)
    const argument1 = argumentOf(curve, x1)
    const turn0 = turns(argument0)
    const turn1 = turns(argument1)
    const k0 = wholes(turn0)
    const k1 = wholes(turn1)
    const f0 = fraction(turn0, k0)
    const f1 = fraction(turn1, k1)
    const near0 = f64x2.mul(f64x2.mul(x0, nearSigmoid(evenPart(f0), oddPart(f0), k0)), y0)
    const near1 = f64x2.mul(f64x2.mul(x1, nearSigmoid(evenPart(f1), oddPart(f1), k1)), y1)
    let units = demote(near0, near1)
    const far = v128.or(isFar(argument0), isFar(argument1))
    if (v128.any_true(v128.or(v128.or(inDoubt(near0, near1), far), isCoarse(near0, near1)))) {
      const unit0 = f64x2.mul(f64x2.mul(x0, sigmoid(argument0)), y0)
      const unit1 = f64x2.mul(f64x2.mul(x1, sigmoid(argument1)), y1)
      units = demote(unit0, unit1)
    }
    v128.store(up, units)
    gate += 16
  }
}

function gateOf(curve: i32, at: usize): v128 {
  const x = two(at)
  return curve === 5 ? f64x2.pmin(x, f64x2.splat(7)) : x
}

function upOf(curve: i32, gated: i32, at: usize): v128 {
  if (!gated) return f64x2.splat(1)
  const y = two(at)
  if (curve !== 5) return y
  return f64x2.add(f64x2.pmax(f64x2.pmin(y, f64x2.splat(7)), f64x2.splat(-7)), f64x2.splat(1))
}

/** What the sigmoid is of: for gelu_tanh 2u, since ½ (1 + tanh u) is σ(2u). */
function argumentOf(curve: i32, x: v128): v128 {
  if (curve === 5) return f64x2.mul(f64x2.splat(1.702), x)
  if (curve !== 4) return x
  const cube = f64x2.mul(f64x2.mul(f64x2.mul(f64x2.splat(0.044715), x), x), x)
  return f64x2.mul(f64x2.splat(1.5957691216057308), f64x2.add(x, cube))
}

/** Which of four numbers are below 2⁻¹²⁶, but not 0: there, float32 drops more bits than `inDoubt` looks at. */
function isCoarse(low: v128, high: v128): v128 {
  const upper = i32x4.shl(i32x4.shuffle(low, high, 1, 3, 5, 7), 1) // without the sign
  return i32x4.lt_u(i32x4.sub(upper, i32x4.splat(1)), i32x4.splat(0x701fffff)) // before 0 lies the largest
}

/** Two float32 as float64. */
function two(at: usize): v128 {
  return f64x2.promote_low_f32x4(v128.load64_zero(at))
}

/** Row t of `out` becomes the sum over slots k, in order, in float64, of weights[t, k] · rows[places[t, k]]; place −1 is none. */
export function combine(
  rows: usize,
  places: usize,
  weights: usize,
  out: usize,
  count: i32,
  slots: i32,
  width: i32,
): void {
  const rowBytes = (<usize>width) << 2
  const slotBytes = (<usize>slots) << 2
  for (let t = 0; t < count; t++) {
    for (let k: usize = 0; k < slotBytes; k += 4) {
      const place = load<i32>(places + k)
      if (place >= 0) fetch(rows + <usize>place * rowBytes, rowBytes)
    }
    for (let lane: usize = 0; lane < rowBytes; lane += 32) {
      let a = f64x2.splat(0)
      let b = f64x2.splat(0)
      let c = f64x2.splat(0)
      let d = f64x2.splat(0)
      for (let k: usize = 0; k < slotBytes; k += 4) {
        const place = load<i32>(places + k)
        if (place < 0) continue
        const weight = f64x2.splat(<f64>load<f32>(weights + k))
        const row = rows + <usize>place * rowBytes + lane
        a = f64x2.add(a, f64x2.mul(weight, f64x2.promote_low_f32x4(v128.load64_zero(row))))
        b = f64x2.add(b, f64x2.mul(weight, f64x2.promote_low_f32x4(v128.load64_zero(row, 8))))
        c = f64x2.add(c, f64x2.mul(weight, f64x2.promote_low_f32x4(v128.load64_zero(row, 16))))
        d = f64x2.add(d, f64x2.mul(weight, f64x2.promote_low_f32x4(v128.load64_zero(row, 24))))
      }
      v128.store64_lane(out, f32x4.demote_f64x2_zero(a), 0)
      v128.store64_lane(out, f32x4.demote_f64x2_zero(b), 0, 8)
      v128.store64_lane(out, f32x4.demote_f64x2_zero(c), 0, 16)
      v128.store64_lane(out, f32x4.demote_f64x2_zero(d), 0, 24)
      out += 32
    }
    places += slotBytes
    weights += slotBytes
  }
}
