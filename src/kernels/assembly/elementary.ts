// The elementary functions of src/math.ts in two lanes: the same operations in the same order, so the same bits.

/** 1.5 · 2⁵²: once it is added, the low bits hold the nearest whole number. */
const roundToWhole: f64 = 6755399441055744
const log2e: f64 = Math.LOG2E
const ln2High: f64 = 0.6931471803691238
const ln2Low: f64 = 1.9082149292705877e-10

/** 2ᵏ, where the low bits of each lane hold k, from −1022 to 1023. */
function powerOfTwo(k: v128): v128 {
  return i64x2.add(i64x2.shl(k, 52), i64x2.splat(0x3ff0000000000000))
}

/** eʳ for x = k · ln 2 + r. */
function reducedExp(x: v128, k: v128): v128 {
  const near = f64x2.sub(x, f64x2.mul(k, f64x2.splat(ln2High)))
  const rest = f64x2.mul(k, f64x2.splat(ln2Low))
  const r = f64x2.sub(near, rest)
  const lost = f64x2.sub(f64x2.sub(near, r), rest)
  const r2 = f64x2.mul(r, r)
  const r4 = f64x2.mul(r2, r2)
  const a = f64x2.add(f64x2.splat(0.5), f64x2.mul(r, f64x2.splat(0.16666666666666666)))
  const b = f64x2.add(f64x2.splat(0.041666666666666664), f64x2.mul(r, f64x2.splat(0.008333333333333333)))
  const c = f64x2.add(f64x2.splat(0.001388888888888889), f64x2.mul(r, f64x2.splat(0.0001984126984126984)))
  const d = f64x2.add(f64x2.splat(2.48015873015873e-5), f64x2.mul(r, f64x2.splat(2.7557319223985893e-6)))
  const e = f64x2.add(f64x2.splat(2.755731922398589e-7), f64x2.mul(r, f64x2.splat(2.505210838544172e-8)))
  const f = f64x2.add(f64x2.splat(2.08767569878681e-9), f64x2.mul(r, f64x2.splat(1.6059043836821613e-10)))
  const high = f64x2.mul(
    r4,
    f64x2.add(f64x2.add(c, f64x2.mul(r2, d)), f64x2.mul(r4, f64x2.add(e, f64x2.mul(r2, f)))),
  )
  const tail = f64x2.add(f64x2.add(a, f64x2.mul(r2, b)), high)
  return f64x2.add(f64x2.splat(1), f64x2.add(r, f64x2.add(f64x2.mul(r2, tail), lost)))
}

/** eˣ for x ≤ 0; 2ᵏ comes in two factors, since e⁻⁷⁰⁸ and less are below the range of one. */
export function exp(given: v128): v128 {
  const x = f64x2.pmax(given, f64x2.splat(-746))
  const shifted = f64x2.add(f64x2.mul(x, f64x2.splat(log2e)), f64x2.splat(roundToWhole))
  const power = reducedExp(x, f64x2.sub(shifted, f64x2.splat(roundToWhole)))
  const half = i32x4.shr_s(shifted, 1)
  return f64x2.mul(f64x2.mul(power, powerOfTwo(half)), powerOfTwo(i32x4.sub(shifted, half)))
}

/** 1 / (1 + e⁻ˣ). */
export function sigmoid(given: v128): v128 {
  const x = f64x2.pmin(given, f64x2.splat(37)) // from here on it is 1
  const shifted = f64x2.sub(f64x2.splat(roundToWhole), f64x2.mul(x, f64x2.splat(log2e)))
  const power = reducedExp(f64x2.neg(x), f64x2.sub(shifted, f64x2.splat(roundToWhole)))
  const y = f64x2.div(f64x2.splat(1), f64x2.add(f64x2.splat(1), f64x2.mul(powerOfTwo(shifted), power)))
  const tiny = f64x2.lt(x, f64x2.splat(-36.75))
  return v128.any_true(tiny) ? v128.bitselect(exp(x), y, tiny) : y
}

/** ln y for y from 1 to 2. */
function log(y: v128): v128 {
  const upper = f64x2.ge(y, f64x2.splat(reinterpret<f64>(0x3ff6a09e00000000)))
  const k = v128.and(upper, f64x2.splat(1))
  const f = f64x2.sub(f64x2.mul(y, f64x2.sub(f64x2.splat(1), f64x2.mul(k, f64x2.splat(0.5)))), f64x2.splat(1))
  const s = f64x2.div(f, f64x2.add(f64x2.splat(2), f))
  const s2 = f64x2.mul(s, s)
  const s4 = f64x2.mul(s2, s2)
  let odd = f64x2.add(f64x2.splat(2.0 / 19.0), f64x2.mul(s4, f64x2.splat(2.0 / 23.0)))
  odd = f64x2.add(f64x2.splat(2.0 / 15.0), f64x2.mul(s4, odd))
  odd = f64x2.add(f64x2.splat(2.0 / 11.0), f64x2.mul(s4, odd))
  odd = f64x2.add(f64x2.splat(2.0 / 7.0), f64x2.mul(s4, odd))
  odd = f64x2.add(f64x2.splat(2.0 / 3.0), f64x2.mul(s4, odd))
  let even = f64x2.add(f64x2.splat(2.0 / 17.0), f64x2.mul(s4, f64x2.splat(2.0 / 21.0)))
  even = f64x2.add(f64x2.splat(2.0 / 13.0), f64x2.mul(s4, even))
  even = f64x2.add(f64x2.splat(2.0 / 9.0), f64x2.mul(s4, even))
  even = f64x2.add(f64x2.splat(2.0 / 5.0), f64x2.mul(s4, even))
  const tail = f64x2.add(f64x2.mul(s2, odd), f64x2.mul(s4, even))
  const low = f64x2.sub(f64x2.mul(k, f64x2.splat(ln2Low)), f64x2.mul(s, f64x2.sub(f, tail)))
  return f64x2.add(f64x2.mul(k, f64x2.splat(ln2High)), f64x2.add(low, f))
}

/** √ln(1 + eˣ). */
export function sqrtSoftplus(x: v128): v128 {
  const power = exp(f64x2.neg(f64x2.abs(x)))
  const sum = f64x2.add(f64x2.splat(1), power)
  const lost = f64x2.div(f64x2.sub(f64x2.sub(sum, f64x2.splat(1)), power), sum)
  const log1p = v128.bitselect(power, f64x2.sub(log(sum), lost), f64x2.eq(sum, f64x2.splat(1)))
  return f64x2.sqrt(f64x2.add(f64x2.pmax(x, f64x2.splat(0)), log1p))
}
