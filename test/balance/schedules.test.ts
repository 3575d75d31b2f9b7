import {
  biasBalance,
  cosineSchedule,
  linearSchedule,
  piecewiseSchedule,
  type Schedule,
  wsdSchedule,
} from 'moesim'
import { describe, expect, test } from 'vitest'

const at = (schedule: Schedule, updates: number[]): number[] => updates.map(schedule)

describe('schedules', () => {
  test('piecewise: one value after another, from its update on', () => {
    const deepSeekV3 = piecewiseSchedule([1e-3, 0], [3])
    expect(at(deepSeekV3, [0, 2, 3, 1e9])).toEqual([1e-3, 1e-3, 0, 0])
    expect(at(piecewiseSchedule([3, 2, 1], [0, 5]), [0, 4, 5])).toEqual([2, 2, 1])
    expect(at(piecewiseSchedule([7], []), [0, 9])).toEqual([7, 7])
  })

  test('linear and cosine: from one value to the other, half-way in the middle, and there for ever', () => {
    const ramp = { from: 1, to: 3, over: 4 }
    expect(at(linearSchedule(ramp), [0, 1, 2, 3, 4, 99])).toEqual([1, 1.5, 2, 2.5, 3, 3])
    const cosine = cosineSchedule(ramp)
    expect(at(cosine, [0, 2, 4, 99])).toEqual([1, 2, 3, 3])
    expect(cosine(1)).toBeCloseTo(2 - Math.SQRT1_2, 14)
    expect(at(linearSchedule({ ...ramp, over: 0 }), [0])).toEqual([3])
  })

  test('warm-up, stable, decay', () => {
    const schedule = wsdSchedule({ peak: 1, warmup: 2, stable: 3, decay: 4 })
    expect(at(schedule, [0, 1, 2, 3, 4, 5, 6, 8, 9, 10])).toEqual([0, 0.5, 1, 1, 1, 1, 0.75, 0.25, 0, 0])
    expect(at(wsdSchedule({ peak: 2, warmup: 0, stable: 1, decay: 0, end: 1 }), [0, 1, 2])).toEqual([2, 1, 1])
  })

  test('drive a rule: after the rate falls to 0 the bias stays', () => {
    const rule = biasBalance({ rate: piecewiseSchedule([1e-3, 0], [2]) })
    const load = Int32Array.of(0, 2)
    const states = [rule.init(2)]
    for (let i = 0; i < 4; i++) states.push(rule.update(states[i], load))
    expect(states[4].bias).toEqual(states[2].bias)
    expect(states[2].bias).not.toEqual(states[1].bias)
  })

  test.each<[() => Schedule, string]>([
    [() => piecewiseSchedule([1, Number.NaN], [1]), 'piecewiseSchedule: a value must be a finite number'],
    [() => piecewiseSchedule([1, 2], []), 'one start for each of 2 values but the first'],
    [
      () => piecewiseSchedule([1, 2, 3], [5, 4]),
      'piecewiseSchedule: start 1 must be a whole number of at least 5',
    ],
    [
      () => linearSchedule({ from: Number.NaN, to: 1, over: 1 }),
      'linearSchedule: from must be a finite number',
    ],
    [() => cosineSchedule({ from: 1, to: Infinity, over: 1 }), 'cosineSchedule: to must be a finite number'],
    [() => linearSchedule({ from: 0, to: 1, over: 1.5 }), 'linearSchedule: over must be a whole number'],
    [() => wsdSchedule({ peak: Number.NaN, warmup: 1, stable: 1, decay: 1 }), 'must be a finite number'],
    [
      () => wsdSchedule({ peak: 1, warmup: 1, stable: -1, decay: 1 }),
      'wsdSchedule: stable must be a whole number',
    ],
    [() => wsdSchedule({ peak: 1, warmup: 1, stable: 1, decay: 0.5 }), 'wsdSchedule: decay: over must be'],
  ])('refuse %o', (make, message) => {
    expect(make).toThrow(message)
  })
})

test.each([-1e-3, Number.NaN, Infinity])('a schedule that gives %d is refused at its update', (rate) => {
  const balance = biasBalance({ rate: (updates) => (updates < 1 ? 1e-3 : rate) })
  const once = balance.update(balance.init(2), Int32Array.of(3, 1))
  expect(() => balance.update(once, Int32Array.of(3, 1))).toThrow(
    `a schedule must give a finite rate, 0 or more, at update 1, got ${rate}`,
  )
})
