/**
 * Elementary functions in float64 that give the same bits in every engine.
 *
 * `Math.exp`, `Math.log` and their kin may differ in the last bit from one engine to the next. These are built on
 * + − × ÷ √, which IEEE 754 fixes, and on moving bits, in an order that SIMD lanes can follow. Series are Taylor's,
 * after a reduction that keeps the argument small; each stays within 2 ulp of the exact value (see test/math.test.ts).
 */

const ln2High = 0.6931471803691238 // its last 21 bits are 0, so that k · ln2High is exact
const ln2Low = 1.9082149292705877e-10
const roundToWhole = 6755399441055744 // 1.5 · 2⁵²: adding and subtracting it rounds to the nearest whole number

/** 2ᵏ for k from −1022 to 1023: looked up, because building it from its bits makes the processor wait for memory. */
const powers = new Float64Array(2046)
for (let k = 0, up = 1; k <= 1023; k++, up *= 2) {
  powers[1022 + k] = up
  if (k < 1023) powers[1022 - k] = 1 / up
}
const powerOfTwo = (k: number): number => powers[1022 + k]

/** x · 2ᵏ for any k that exp can need, in two factors, since one of them may be beyond float64. */
function scale(x: number, k: number): number {
  if (k >= -1021 && k <= 1023) return x * powerOfTwo(k)
  const half = k >> 1
  return x * powerOfTwo(half) * powerOfTwo(k - half)
}

const bits = new Float64Array(1)
const words = new Int32Array(bits.buffer)
const high = new Uint8Array(Int32Array.of(1).buffer)[0] // the place of the high word, which depends on the byte order

/** eʳ − 1 − r for |r| ≤ ln 2 / 2, over r²: the tail of the series from r²/2! on, to degree 13. */
function expTail(r: number): number {
  const r2 = r * r
  const r4 = r2 * r2
  const a = 0.5 + r * (1 / 6)
  const b = 1 / 24 + r * (1 / 120)
  const c = 1 / 720 + r * (1 / 5040)
  const d = 1 / 40320 + r * (1 / 362880)
  const e = 1 / 3628800 + r * (1 / 39916800)
  const f = 1 / 479001600 + r * (1 / 6227020800)
  return a + r2 * b + r4 * (c + r2 * d + r4 * (e + r2 * f))
}

/** eˣ. Below −745.2 it is 0, above 709.8 ∞. */
export function exp(x: number): number {
  if (!(x > -746)) return Number.isNaN(x) ? x : 0
  if (x > 710) return Infinity
  const k = x * Math.LOG2E + roundToWhole - roundToWhole
  return scale(1 + reducedExpm1(x, k), k)
}

/** eʳ − 1 for r = x − k · ln 2, where k is the whole number that leaves |r| ≤ ln 2 / 2. */
function reducedExpm1(x: number, k: number): number {
  const near = x - k * ln2High
  const rest = k * ln2Low
  const r = near - rest
  const lost = near - r - rest // what rounding r has lost
  return r + (r * r * expTail(r) + lost)
}

/** ln x, from x = 2ᵏ · m with m in [√½, √2). NaN below 0. */
export function log(x: number): number {
  if (!(x > 0 && x < Infinity)) return x === 0 ? -Infinity : x === Infinity ? x : Number.NaN
  if (x < 2.2250738585072014e-308) return log(x * 18014398509481984) - 54 * ln2High - 54 * ln2Low // made normal by 2⁵⁴
  // The exponent is counted from √½, so that m − 1 lies around 0: 0x3fe6a09e is the high word of √½.
  bits[0] = x
  const k = (words[high] - 0x3fe6a09e) >> 20
  const f = (k <= 1022 ? x * powerOfTwo(-k) : x * 0.25 * powerOfTwo(2 - k)) - 1
  const s = f / (2 + f)
  const s2 = s * s
  const s4 = s2 * s2
  // ln m = 2 (s + s³/3 + s⁵/5 + …) = f − s · (f − tail), which adds a small correction to an exact f
  const tail =
    s2 * (2 / 3 + s4 * (2 / 7 + s4 * (2 / 11 + s4 * (2 / 15 + s4 * (2 / 19 + s4 * (2 / 23)))))) +
    s4 * (2 / 5 + s4 * (2 / 9 + s4 * (2 / 13 + s4 * (2 / 17 + s4 * (2 / 21)))))
  return k * ln2High + (k * ln2Low - s * (f - tail) + f)
}

/** ln(1 + x) without losing a small x. */
export function log1p(x: number): number {
  const sum = 1 + x
  if (sum === 1 || sum === Infinity || !(sum > 0)) return sum === 1 ? x : log(sum)
  return log(sum) - (sum - 1 - x) / sum // what rounding 1 + x lost, to first order
}

/** 1 / (1 + e⁻ˣ): the logistic function. The path of every score, so it goes straight through exp's middle range. */
export function sigmoid(x: number): number {
  if (x < -36.75) return exp(x)
  if (x > 37) return 1
  const k = roundToWhole - x * Math.LOG2E - roundToWhole
  return 1 / (1 + powerOfTwo(k) * (1 + reducedExpm1(-x, k)))
}

/** ln(1 + eˣ). */
export function softplus(x: number): number {
  return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x))
}

/** The hyperbolic tangent: near 0 by Lambert's continued fraction x / (1 + x² / (3 + x² / (5 + …))). */
export function tanh(x: number): number {
  const size = Math.abs(x)
  if (size >= 0.55) return (x < 0 ? -1 : 1) * (1 - 2 / (exp(2 * size) + 1))
  const x2 = x * x
  let fraction = 0
  for (let odd = 17; odd > 1; odd -= 2) fraction = x2 / (odd + fraction)
  return x / (1 + fraction)
}

const sinSeries = (t: number): number => {
  const t2 = t * t
  const tail =
    -1 / 6 +
    t2 *
      (1 / 120 +
        t2 *
          (-1 / 5040 +
            t2 * (1 / 362880 + t2 * (-1 / 39916800 + t2 * (1 / 6227020800 - t2 * (1 / 1307674368000))))))
  return t + t * t2 * tail
}

const cosSeries = (t: number): number => {
  const t2 = t * t
  const tail =
    1 / 24 +
    t2 *
      (-1 / 720 +
        t2 *
          (1 / 40320 +
            t2 * (-1 / 3628800 + t2 * (1 / 479001600 + t2 * (-1 / 87178291200 + t2 * (1 / 20922789888000))))))
  return 1 - (t2 * 0.5 - t2 * t2 * tail)
}

const quarterSine = Float64Array.of(0, 1, 0, -1)

/**
 * sin(2πu) and cos(2πu) into out[0] and out[1]; u in turns. Quarter turns are taken off exactly, so that no angle is too
 * large, and put back by multiplying with 0 and ±1: random angles would make a branch guess wrong every other time.
 */
export function sinCosTurns(u: number, out: Float64Array): void {
  const quarters = Math.floor(4 * u + 0.5)
  const t = (u - quarters * 0.25) * 6.283185307179586
  const sine = sinSeries(t)
  const cosine = cosSeries(t)
  const up = quarterSine[quarters & 3]
  const right = quarterSine[(quarters + 1) & 3]
  out[0] = up * cosine + right * sine
  out[1] = right * cosine - up * sine
}
