// The elementary functions of src/math.ts in two lanes: the same operations in the same order, so the same bits.

// Constants lie in memory, each read by one instruction: engines build those in the code from three, time and again.
const one = memory.data<f64>([1])
const two = memory.data<f64>([2])
/** 1.5 · 2⁵²: once it is added, the low bits hold the nearest whole number. */
const roundToWhole = memory.data<f64>([6755399441055744])
const log2e = memory.data<f64>([Math.LOG2E])
const ln2High = memory.data<f64>([0.6931471803691238])
const ln2Low = memory.data<f64>([1.9082149292705877e-10])
const saturated = memory.data<f64>([37])
const vanished = memory.data<f64>([-746])
/** Below it, 1 + e⁻ˣ is e⁻ˣ. */
const far = memory.data<f64>([-36.75])
const farFloat = memory.data<f32>([-36.75])
const root2 = memory.data<f64>([1.4142131805419922])

/** 1/2!, 1/3! … 1/13!: the series of eʳ. */
const series = memory.data<f64>([
  0.5, 0.16666666666666666, 0.041666666666666664, 0.008333333333333333, 0.001388888888888889,
  0.0001984126984126984, 2.48015873015873e-5, 2.7557319223985893e-6, 2.755731922398589e-7,
  2.505210838544172e-8, 2.08767569878681e-9, 1.6059043836821613e-10,
])
/** The first of them. */
const half = series

/** 2ᶠ = (p + q) / (p − q) to 1.2e-14, |f| ≤ ½, where p = p₀ + p₁ f² + f⁴ and q = (q₀ + q₁ f²) f: minimax. */
const evenTerms = memory.data<f64>([7285.73360385073, 375.02165426961005])
const oddTerms = memory.data<f64>([2525.042852909264, 28.875563778983253])

/** 2/3, 2/7 … 2/23 and 2/5, 2/9 … 2/21: the series of ln. */
const odds = memory.data<f64>([
  0.6666666666666666, 0.2857142857142857, 0.18181818181818182, 0.13333333333333333, 0.10526315789473684,
  0.08695652173913043,
])
const evens = memory.data<f64>([
  0.4, 0.2222222222222222, 0.15384615384615385, 0.11764705882352941, 0.09523809523809523,
])

function splat(constant: usize): v128 {
  return v128.load64_splat(constant)
}

/** c₀ + c₁ · r, the two at `pair`. */
function line(pair: usize, r: v128): v128 {
  return f64x2.add(splat(pair), f64x2.mul(r, splat(pair + 8)))
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
  const a = line(series, r)
  const b = line(series + 16, r)
  const c = line(series + 32, r)
  const d = line(series + 48, r)
  const e = line(series + 64, r)
  const f = line(series + 80, r)
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
  const part = i32x4.shr_s(shifted, 1)
  return f64x2.mul(f64x2.mul(power, powerOfTwo(part)), powerOfTwo(i32x4.sub(shifted, part)))
}

export function isFar(x: v128): v128 {
  return f64x2.lt(x, splat(far))
}

/** 1 / (1 + e⁻ˣ). */
export function sigmoid(given: v128): v128 {
  const x = f64x2.pmin(given, splat(saturated)) // from here on it is 1
  const shifted = f64x2.sub(splat(roundToWhole), f64x2.mul(x, splat(log2e)))
  const power = reducedExp(f64x2.neg(x), f64x2.sub(shifted, splat(roundToWhole)))
  const sum = f64x2.add(splat(one), f64x2.mul(powerOfTwo(shifted), power))
  const y = f64x2.div(splat(one), sum)
  const below = isFar(x)
  return v128.any_true(below) ? v128.bitselect(exp(x), y, below) : y
}

// A sigmoid to 2e-14 of its value, for x ≥ −36.75, in half the operations: with e⁻ˣ = 2ᵏ · 2ᶠ it is
// (p − q) / ((p − q) + 2ᵏ (p + q)). Calls would take half as long again, so it is in parts that are small enough to be inlined.

/** x · log₂ e, or 37 · log₂ e, from where on the sigmoid is 1: −k − f. */
export function turns(x: v128): v128 {
  return f64x2.mul(f64x2.pmin(x, splat(saturated)), splat(log2e))
}

/** k, in the low bits. */
export function wholes(turn: v128): v128 {
  return f64x2.sub(splat(roundToWhole), turn)
}

/** f, at most ½ either way. */
export function fraction(turn: v128, k: v128): v128 {
  return f64x2.sub(f64x2.sub(splat(roundToWhole), k), turn)
}

/** p. */
export function evenPart(f: v128): v128 {
  const square = f64x2.mul(f, f)
  return f64x2.add(splat(evenTerms), f64x2.mul(square, f64x2.add(splat(evenTerms + 8), square)))
}

/** q. */
export function oddPart(f: v128): v128 {
  return f64x2.mul(f, line(oddTerms, f64x2.mul(f, f)))
}

export function nearSigmoid(p: v128, q: v128, k: v128): v128 {
  const below = f64x2.sub(p, q)
  const above = i64x2.add(f64x2.add(p, q), i64x2.shl(k, 52))
  return f64x2.div(below, f64x2.add(below, above))
}

/**
 * What is near to 2e-14 is off by less than 2⁸ units of its last place, so within as many of a point where rounding turns
 * it is in doubt. Float32 drops 29 of its bits; moved up by 3 they are −2³¹ there. `doubt` is 2⁸ moved up by 3, too, and
 * `doubtful` −2³¹ + 2 · doubt: one comparison then finds what lies on either side.
 */
const doubt = memory.data<i32>([2048])
const doubtful = memory.data<i32>([-2147479552])

/** Which of four near numbers, 0 or at least 2⁻¹²⁶, may round to another float32 than the number that they are near. */
export function inDoubt(low: v128, high: v128): v128 {
  const dropped = i32x4.shl(i32x4.shuffle(low, high, 0, 2, 4, 6), 3)
  return i32x4.lt_s(i32x4.add(dropped, v128.load32_splat(doubt)), v128.load32_splat(doubtful))
}

/**
 * The sigmoids of float32 numbers from `from` to `end`, four at a time, each rounded once to float32, to `to`, which may be
 * the same place. Near ones round to the same number unless they are in doubt, as one in a million is: then, and far below 0,
 * the four are computed again.
 */
export function sigmoids(from: usize, end: usize, to: usize): void {
  for (; from < end; from += 16) {
    const x = v128.load(from)
    const x0 = f64x2.promote_low_f32x4(x)
    const x1 = f64x2.promote_low_f32x4(i64x2.shuffle(x, x, 1, 0))
    const turn0 = turns(x0)
    const turn1 = turns(x1)
    const k0 = wholes(turn0)
    const k1 = wholes(turn1)
    const f0 = fraction(turn0, k0)
    const f1 = fraction(turn1, k1)
    let y0 = nearSigmoid(evenPart(f0), oddPart(f0), k0)
    let y1 = nearSigmoid(evenPart(f1), oddPart(f1), k1)
    if (v128.any_true(v128.or(inDoubt(y0, y1), f32x4.lt(x, v128.load32_splat(farFloat))))) {
      y0 = sigmoid(x0)
      y1 = sigmoid(x1)
    }
    v128.store(to, demote(y0, y1))
    to += 16
  }
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
  let odd = line(odds + 32, s4)
  odd = f64x2.add(splat(odds + 24), f64x2.mul(s4, odd))
  odd = f64x2.add(splat(odds + 16), f64x2.mul(s4, odd))
  odd = f64x2.add(splat(odds + 8), f64x2.mul(s4, odd))
  odd = f64x2.add(splat(odds), f64x2.mul(s4, odd))
  let even = line(evens + 24, s4)
  even = f64x2.add(splat(evens + 16), f64x2.mul(s4, even))
  even = f64x2.add(splat(evens + 8), f64x2.mul(s4, even))
  even = f64x2.add(splat(evens), f64x2.mul(s4, even))
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
