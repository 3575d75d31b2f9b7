// The elementary functions of src/math.ts in two lanes: the same operations in the same order, so the same bits.

// Constants lie in memory, each read by one instruction: engines build those in the code from three, time and again.
const one = memory.data<f64>([1])
const two = memory.data<f64>([2])
const half = memory.data<f64>([0.5])
/** 1.5 · 2⁵²: once it is added, the low bits hold the nearest whole number. */
const roundToWhole = memory.data<f64>([6755399441055744])
const log2e = memory.data<f64>([Math.LOG2E])
const ln2 = memory.data<f64>([Math.LN2])
const ln2High = memory.data<f64>([0.6931471803691238])
const ln2Low = memory.data<f64>([1.9082149292705877e-10])
const saturated = memory.data<f64>([37])
const vanished = memory.data<f64>([-746])
const tiny = memory.data<f64>([-36.75])
const root2 = memory.data<f64>([1.4142131805419922])

// 1/3!, 1/4! … : the series of eʳ.
const e3 = memory.data<f64>([0.16666666666666666])
const e4 = memory.data<f64>([0.041666666666666664])
const e5 = memory.data<f64>([0.008333333333333333])
const e6 = memory.data<f64>([0.001388888888888889])
const e7 = memory.data<f64>([0.0001984126984126984])
const e8 = memory.data<f64>([2.48015873015873e-5])
const e9 = memory.data<f64>([2.7557319223985893e-6])
const e10 = memory.data<f64>([2.755731922398589e-7])
const e11 = memory.data<f64>([2.505210838544172e-8])
const e12 = memory.data<f64>([2.08767569878681e-9])
const e13 = memory.data<f64>([1.6059043836821613e-10])

// The minimax polynomial of degree 7 for eʳ, |r| ≤ ln 2 / 2.
const m0 = memory.data<f64>([0.9999999999616821])
const m1 = memory.data<f64>([1.0000000002430973])
const m2 = memory.data<f64>([0.5000000104536392])
const m3 = memory.data<f64>([0.16666665126137598])
const m4 = memory.data<f64>([0.041666225425036355])
const m5 = memory.data<f64>([0.00833356108982174])
const m6 = memory.data<f64>([0.001394818335568091])
const m7 = memory.data<f64>([0.0001977517189311837])

// 2/3, 2/5 … : the series of ln.
const l3 = memory.data<f64>([0.6666666666666666])
const l5 = memory.data<f64>([0.4])
const l7 = memory.data<f64>([0.2857142857142857])
const l9 = memory.data<f64>([0.2222222222222222])
const l11 = memory.data<f64>([0.18181818181818182])
const l13 = memory.data<f64>([0.15384615384615385])
const l15 = memory.data<f64>([0.13333333333333333])
const l17 = memory.data<f64>([0.11764705882352941])
const l19 = memory.data<f64>([0.10526315789473684])
const l21 = memory.data<f64>([0.09523809523809523])
const l23 = memory.data<f64>([0.08695652173913043])

function splat(constant: usize): v128 {
  return v128.load64_splat(constant)
}

/** 2ᵏ, where the low bits of each lane hold k, from −1022 to 1023. */
function powerOfTwo(k: v128): v128 {
  return i64x2.add(i64x2.shl(k, 52), i64x2.splat(0x3ff0000000000000))
}

/** eʳ for x = k · ln 2 + r. */
function reducedExp(x: v128, k: v128): v128 {
  const near = f64x2.sub(x, f64x2.mul(k, splat(ln2High)))
  const rest = f64x2.mul(k, splat(ln2Low))
  const r = f64x2.sub(near, rest)
  const lost = f64x2.sub(f64x2.sub(near, r), rest)
  const r2 = f64x2.mul(r, r)
  const r4 = f64x2.mul(r2, r2)
  const a = f64x2.add(splat(half), f64x2.mul(r, splat(e3)))
  const b = f64x2.add(splat(e4), f64x2.mul(r, splat(e5)))
  const c = f64x2.add(splat(e6), f64x2.mul(r, splat(e7)))
  const d = f64x2.add(splat(e8), f64x2.mul(r, splat(e9)))
  const e = f64x2.add(splat(e10), f64x2.mul(r, splat(e11)))
  const f = f64x2.add(splat(e12), f64x2.mul(r, splat(e13)))
  const high = f64x2.mul(
    r4,
    f64x2.add(f64x2.add(c, f64x2.mul(r2, d)), f64x2.mul(r4, f64x2.add(e, f64x2.mul(r2, f)))),
  )
  const tail = f64x2.add(f64x2.add(a, f64x2.mul(r2, b)), high)
  return f64x2.add(splat(one), f64x2.add(r, f64x2.add(f64x2.mul(r2, tail), lost)))
}

/** eˣ for x ≤ 0; 2ᵏ comes in two factors, since e⁻⁷⁰⁸ and less are below the range of one. */
export function exp(given: v128): v128 {
  const x = f64x2.pmax(given, splat(vanished))
  const shifted = f64x2.add(f64x2.mul(x, splat(log2e)), splat(roundToWhole))
  const power = reducedExp(x, f64x2.sub(shifted, splat(roundToWhole)))
  const half = i32x4.shr_s(shifted, 1)
  return f64x2.mul(f64x2.mul(power, powerOfTwo(half)), powerOfTwo(i32x4.sub(shifted, half)))
}

/** 1 / (1 + e⁻ˣ). */
export function sigmoid(given: v128): v128 {
  const x = f64x2.pmin(given, splat(saturated)) // from here on it is 1
  const shifted = f64x2.sub(splat(roundToWhole), f64x2.mul(x, splat(log2e)))
  const power = reducedExp(f64x2.neg(x), f64x2.sub(shifted, splat(roundToWhole)))
  const sum = f64x2.add(splat(one), f64x2.mul(powerOfTwo(shifted), power))
  const y = f64x2.div(splat(one), sum)
  const far = f64x2.lt(x, splat(tiny))
  return v128.any_true(far) ? v128.bitselect(exp(x), y, far) : y
}

/** The same to 4.1e-11 of its value, for x ≥ −36.75, with half the operations: eʳ by a minimax polynomial of degree 7. */
function nearSigmoid(given: v128): v128 {
  const x = f64x2.pmin(given, splat(saturated))
  const shifted = f64x2.sub(splat(roundToWhole), f64x2.mul(x, splat(log2e)))
  const k = f64x2.sub(splat(roundToWhole), shifted)
  const r = f64x2.sub(f64x2.mul(k, splat(ln2)), x)
  const r2 = f64x2.mul(r, r)
  const a = f64x2.add(splat(m0), f64x2.mul(r, splat(m1)))
  const b = f64x2.add(splat(m2), f64x2.mul(r, splat(m3)))
  const c = f64x2.add(splat(m4), f64x2.mul(r, splat(m5)))
  const d = f64x2.add(splat(m6), f64x2.mul(r, splat(m7)))
  const high = f64x2.mul(f64x2.mul(r2, r2), f64x2.add(c, f64x2.mul(r2, d)))
  const power = f64x2.add(f64x2.add(a, f64x2.mul(r2, b)), high)
  const scaled = i64x2.add(power, i64x2.shl(shifted, 52))
  return f64x2.div(splat(one), f64x2.add(splat(one), scaled))
}

/** Half of what `nearSigmoid` may be off, and a little, in units of the last place of float64. */
const doubt: i32 = 524288

/**
 * The sigmoid of four float32 numbers, rounded once to float32. What is only near rounds to the same number unless a point
 * where rounding turns lies within its error, one time in five hundred; then, and far below 0, it is computed again.
 */
export function sigmoids(x: v128): v128 {
  const x0 = f64x2.promote_low_f32x4(x)
  const x1 = f64x2.promote_low_f32x4(i64x2.shuffle(x, x, 1, 0))
  let y0 = nearSigmoid(x0)
  let y1 = nearSigmoid(x1)
  const low = i32x4.shl(i32x4.shuffle(y0, y1, 0, 2, 4, 6), 3) // of 29 bits that rounding takes off
  const turn = i32x4.lt_u(i32x4.sub(low, i32x4.splat(<i32>0x80000000 - 8 * doubt)), i32x4.splat(16 * doubt))
  if (v128.any_true(v128.or(turn, f32x4.lt(x, f32x4.splat(-36.75))))) {
    y0 = sigmoid(x0)
    y1 = sigmoid(x1)
  }
  return demote(y0, y1)
}

/** Four float64 numbers rounded to float32. */
export function demote(low: v128, high: v128): v128 {
  return i64x2.shuffle(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 2)
}

/** ln y for y from 1 to 2. */
function log(y: v128): v128 {
  const upper = f64x2.ge(y, splat(root2))
  const k = v128.and(upper, splat(one))
  const f = f64x2.sub(f64x2.mul(y, f64x2.sub(splat(one), f64x2.mul(k, splat(half)))), splat(one))
  const s = f64x2.div(f, f64x2.add(splat(two), f))
  const s2 = f64x2.mul(s, s)
  const s4 = f64x2.mul(s2, s2)
  let odd = f64x2.add(splat(l19), f64x2.mul(s4, splat(l23)))
  odd = f64x2.add(splat(l15), f64x2.mul(s4, odd))
  odd = f64x2.add(splat(l11), f64x2.mul(s4, odd))
  odd = f64x2.add(splat(l7), f64x2.mul(s4, odd))
  odd = f64x2.add(splat(l3), f64x2.mul(s4, odd))
  let even = f64x2.add(splat(l17), f64x2.mul(s4, splat(l21)))
  even = f64x2.add(splat(l13), f64x2.mul(s4, even))
  even = f64x2.add(splat(l9), f64x2.mul(s4, even))
  even = f64x2.add(splat(l5), f64x2.mul(s4, even))
  const tail = f64x2.add(f64x2.mul(s2, odd), f64x2.mul(s4, even))
  const low = f64x2.sub(f64x2.mul(k, splat(ln2Low)), f64x2.mul(s, f64x2.sub(f, tail)))
  return f64x2.add(f64x2.mul(k, splat(ln2High)), f64x2.add(low, f))
}

/** √ln(1 + eˣ) of four float32 numbers, rounded once to float32. */
export function sqrtSoftpluses(x: v128): v128 {
  const high = f64x2.promote_low_f32x4(i64x2.shuffle(x, x, 1, 0))
  return demote(sqrtSoftplus(f64x2.promote_low_f32x4(x)), sqrtSoftplus(high))
}

function sqrtSoftplus(x: v128): v128 {
  const power = exp(f64x2.neg(f64x2.abs(x)))
  const sum = f64x2.add(splat(one), power)
  const lost = f64x2.div(f64x2.sub(f64x2.sub(sum, splat(one)), power), sum)
  const log1p = v128.bitselect(power, f64x2.sub(log(sum), lost), f64x2.eq(sum, splat(one)))
  return f64x2.sqrt(f64x2.add(f64x2.pmax(x, f64x2.splat(0)), log1p))
}
