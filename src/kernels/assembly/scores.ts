import { demote, exp, sigmoids, sqrtSoftpluses } from './elementary'

/**
 * Scores of logits [n, E] to `out`: sigmoid 0, √softplus 1, softmax over each row 2, with `powers` room for E + 4 float64.
 * It may be the same place, but not for sigmoids, whose logits are read again. Logits of −∞ score `masked`. 0 if a logit is
 * NaN or +∞.
 */
export function scores(
  rows: usize,
  count: i32,
  width: i32,
  kind: i32,
  masked: f32,
  out: usize,
  powers: usize,
): i32 {
  const rowBytes = (<usize>width) << 2
  const end = rows + <usize>count * rowBytes
  let ordered = i32x4.splat(-1)
  if (kind === 2) {
    for (; rows < end; rows += rowBytes) {
      ordered = v128.and(ordered, softmax(rows, width, masked, out, powers))
      out += rowBytes
    }
    return <i32>i32x4.all_true(ordered)
  }
  if (kind === 0) sigmoids(rows, end, out)
  for (; rows < end; rows += 16) {
    let x = v128.load(rows)
    if (rows + 16 > end) x = upTo(x, <i32>((end - rows) >> 2))
    ordered = v128.and(ordered, f32x4.lt(x, f32x4.splat(Infinity)))
    const y = kind === 0 ? v128.load(out) : sqrtSoftpluses(x)
    v128.store(out, mask(y, x, masked))
    out += 16
  }
  return <i32>i32x4.all_true(ordered)
}

/** The first `n` lanes, the others −∞. */
function upTo(x: v128, n: i32): v128 {
  return v128.bitselect(x, f32x4.splat(-Infinity), i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(n)))
}

function mask(score: v128, logit: v128, masked: f32): v128 {
  return v128.bitselect(f32x4.splat(masked), score, f32x4.eq(logit, f32x4.splat(-Infinity)))
}

/** One row; the sum in four interleaved partial sums, one a lane. */
function softmax(row: usize, width: i32, masked: f32, out: usize, powers: usize): v128 {
  let ordered = i32x4.splat(-1)
  let most = f32x4.splat(-Infinity)
  for (let e = 0; e < width; e += 4) {
    const x = upTo(v128.load(row + ((<usize>e) << 2)), width - e)
    ordered = v128.and(ordered, f32x4.lt(x, f32x4.splat(Infinity)))
    most = f32x4.pmax(most, x)
  }
  most = f32x4.pmax(most, i64x2.shuffle(most, most, 1, 0))
  const largest = max(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1))
  const shift = f64x2.splat(largest === -Infinity ? 0 : largest) // every expert is masked: powers of 0
  let sum0 = f64x2.splat(0)
  let sum1 = f64x2.splat(0)
  for (let e = 0; e < width; e += 4) {
    const x = upTo(v128.load(row + ((<usize>e) << 2)), width - e)
    const high = f64x2.promote_low_f32x4(i64x2.shuffle(x, x, 1, 0))
    const power0 = exp(f64x2.sub(f64x2.promote_low_f32x4(x), shift))
    const power1 = exp(f64x2.sub(high, shift))
    sum0 = f64x2.add(sum0, power0)
    sum1 = f64x2.add(sum1, power1)
    const at = powers + ((<usize>e) << 3)
    v128.store(at, power0)
    v128.store(at, power1, 16)
  }
  const half0 = f64x2.extract_lane(sum0, 0) + f64x2.extract_lane(sum0, 1)
  const total = half0 + (f64x2.extract_lane(sum1, 0) + f64x2.extract_lane(sum1, 1))
  const divisor = f64x2.splat(largest === -Infinity ? 1 : total)
  for (let e = 0; e < width; e += 4) {
    const at = powers + ((<usize>e) << 3)
    const score = demote(f64x2.div(v128.load(at), divisor), f64x2.div(v128.load(at, 16), divisor))
    let four = mask(score, v128.load(row + ((<usize>e) << 2)), masked)
    const to = out + ((<usize>e) << 2)
    if (e + 4 <= width) v128.store(to, four)
    else {
      for (let i = e; i < width; i++) {
        v128.store32_lane(out + ((<usize>i) << 2), four, 0)
        four = i32x4.shuffle(four, four, 1, 2, 3, 0)
      }
    }
  }
  return ordered
}
