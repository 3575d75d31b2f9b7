import { demote, exp } from '../elementary'
import {
  atExperts,
  atLogits,
  atScores,
  atSelected,
  atSorted,
  divide,
  extra,
  factor,
  kind,
  loads,
  scratch,
  slots,
} from './plan'

/**
 * Writes out four tokens, so many bytes apart: the experts at the places in the four lanes of the sorted rows, counted from
 * where each one's list starts, their weights, and their load. The first is written last.
 */
export function emit(
  list0: usize,
  list1: usize,
  list2: usize,
  list3: usize,
  apart: usize,
  experts: usize,
  weights: usize,
): void {
  const sorted = scratch + atSorted
  const end = sorted + ((<usize>slots) << 4)
  const far = apart << 1
  let selected = scratch + atSelected
  let sum0 = f64x2.splat(0)
  let sum1 = f64x2.splat(0)
  for (let at = sorted; at < end; at += 16) {
    const from3 = list3 + <usize>load<i32>(at, 12)
    const from2 = list2 + <usize>load<i32>(at, 8)
    const from1 = list1 + <usize>load<i32>(at, 4)
    const from0 = list0 + <usize>load<i32>(at)
    choose(from3, experts + apart + far)
    choose(from2, experts + far)
    choose(from1, experts + apart)
    choose(from0, experts)
    experts += 4
    const low = v128.load32_lane(from1, v128.load32_zero(from0, atScores), 1, atScores)
    const high = v128.load32_lane(from3, v128.load32_zero(from2, atScores), 1, atScores)
    const score0 = f64x2.promote_low_f32x4(low)
    const score1 = f64x2.promote_low_f32x4(high)
    v128.store(selected, score0)
    v128.store(selected, score1, 16)
    selected += 32
    sum0 = f64x2.add(sum0, score0)
    sum1 = f64x2.add(sum1, score1)
  }
  const first = scratch + atSelected
  if (kind === 3) {
    sum0 = powers(first, selected)
    sum1 = powers(first + 16, selected)
  } else if (divide) {
    sum0 = f64x2.add(sum0, f64x2.splat(extra))
    sum1 = f64x2.add(sum1, f64x2.splat(extra))
  } else {
    sum0 = f64x2.splat(1)
    sum1 = sum0
  }
  for (let at = first; at < selected; at += 32) {
    const four = demote(weigh(v128.load(at), sum0), weigh(v128.load(at, 16), sum1))
    v128.store32_lane(weights + apart + far, four, 3)
    v128.store32_lane(weights + far, four, 2)
    v128.store32_lane(weights + apart, four, 1)
    v128.store32_lane(weights, four, 0)
    weights += 4
  }
}

function choose(from: usize, to: usize): void {
  const expert = load<i32>(from, atExperts)
  store<i32>(to, expert)
  const count = loads + ((<isize>expert) << 2)
  store<i32>(count, load<i32>(count) + 1)
}

function weigh(score: v128, divisor: v128): v128 {
  const weight = f64x2.mul(f64x2.div(score, divisor), f64x2.splat(factor))
  return v128.and(weight, f64x2.gt(score, f64x2.splat(0)))
}

/** Turns the selected logits of two tokens into the powers of their softmax; gives the sums. Empty slots hold −∞. */
function powers(at: usize, end: usize): v128 {
  const largest = v128.load(at)
  let sum = f64x2.splat(0)
  for (; at < end; at += 32) {
    const power = exp(f64x2.sub(v128.load(at), largest))
    v128.store(at, power)
    sum = f64x2.add(sum, power)
  }
  return sum
}

/** What empty slots read, at the end of a list. */
export function close(end: usize): void {
  v128.store(end, i32x4.splat(0), atLogits)
  store<i32>(end, -1, atExperts)
  store<f32>(end, kind === 3 ? -Infinity : 0, atScores)
}
