import { sigmoids, sqrtSoftpluses } from '../elementary'
import { atBiases, atKeys, atLogits, atRanks, atScores, base, drop, kind, placeBits, scratch } from './plan'

/** Scores, keys and ranks of the list up to `end`; 0 if a logit is NaN or +∞. */
export function score(end: usize): i32 {
  if (kind === 0) sigmoids(scratch + atLogits, end + atLogits, scratch + atScores)
  for (let at = scratch; kind > 0 && at < end; at += 16) {
    const x = v128.load(at, atLogits)
    v128.store(at, kind === 1 ? sqrtSoftpluses(x) : x, atScores)
  }
  // A loop of its own, with no call in it and what is set by `plan` read before: so its constants stay in registers.
  const least = i32x4.splat(base)
  const most = i32x4.splat(0x7fffffff >> placeBits)
  const dropped = drop
  const bits = placeBits
  let ordered = i32x4.splat(-1)
  for (let at = scratch; at < end; at += 16) {
    ordered = v128.and(ordered, f32x4.lt(v128.load(at, atLogits), f32x4.splat(Infinity)))
    const key = f32x4.add(f32x4.add(v128.load(at, atScores), v128.load(at, atBiases)), f32x4.splat(0))
    v128.store(at, key, atKeys)
    const order = v128.xor(key, v128.and(i32x4.shr_s(key, 31), i32x4.splat(0x7fffffff)))
    const rank = i32x4.shr_u(i32x4.sub(i32x4.max_s(order, least), least), dropped)
    v128.store(at, i32x4.shl(i32x4.min_u(rank, most), bits), atRanks)
  }
  return <i32>i32x4.all_true(ordered)
}
