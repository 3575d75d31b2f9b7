// The elementary functions of ../../math.ts for the arguments that occur here, the same operations in the same order.

const ln2High: f64 = 0.6931471803691238
const ln2Low: f64 = 1.9082149292705877e-10
const roundToWhole: f64 = 6755399441055744

/** eˣ for −700 < x < 700, where 2ᵏ is a normal number. */
export function exp(x: f64): f64 {
  const k = x * Math.LOG2E + roundToWhole - roundToWhole
  const near = x - k * ln2High
  const rest = k * ln2Low
  const r = near - rest
  const lost = near - r - rest
  const r2 = r * r
  const r4 = r2 * r2
  const a = 0.5 + r * 0.16666666666666666
  const b = 0.041666666666666664 + r * 0.008333333333333333
  const c = 0.001388888888888889 + r * 0.0001984126984126984
  const d = 2.48015873015873e-5 + r * 2.7557319223985893e-6
  const e = 2.755731922398589e-7 + r * 2.505210838544172e-8
  const f = 2.08767569878681e-9 + r * 1.6059043836821613e-10
  const tail = a + r2 * b + r4 * (c + r2 * d + r4 * (e + r2 * f))
  const power = reinterpret<f64>((<i64>k + 1023) << 52)
  return (1 + (r + (r * r * tail + lost))) * power
}

/** ln x for normal x > 0. */
export function log(x: f64): f64 {
  const bits = reinterpret<i64>(x)
  const k = (<i32>(bits >> 32) - 0x3fe6a09e) >> 20
  const f = reinterpret<f64>(bits - ((<i64>k) << 52)) - 1
  const s = f / (2 + f)
  const s2 = s * s
  const s4 = s2 * s2
  const tail =
    s2 * (2.0 / 3 + s4 * (2.0 / 7 + s4 * (2.0 / 11 + s4 * (2.0 / 15 + s4 * (2.0 / 19 + s4 * (2.0 / 23)))))) +
    s4 * (2.0 / 5 + s4 * (2.0 / 9 + s4 * (2.0 / 13 + s4 * (2.0 / 17 + s4 * (2.0 / 21)))))
  return <f64>k * ln2High + (<f64>k * ln2Low - s * (f - tail) + f)
}
