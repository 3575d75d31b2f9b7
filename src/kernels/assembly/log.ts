// log of ../../math.ts, the same operations in the same order.

const ln2High: f64 = 0.6931471803691238
const ln2Low: f64 = 1.9082149292705877e-10

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
