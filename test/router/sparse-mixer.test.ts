import { InputError, sparseMixer, sparseMixerTraining } from 'moesim'
import { describe, expect, test } from 'vitest'
import { chosen } from '../routings.js'
import { routeBy } from './run.js'

const options = { numExperts: 4, jitter: 0.1 }

describe('SparseMixer', () => {
  test('weighs each of two experts among those close to the best that is left', () => {
    // (4 − 3.5) / 4 ≤ 0.2 stands beside 4; 3 and 1 do not. Once 4 is gone, (3.5 − 3) / 3.5 ≤ 0.2 stands beside 3.5.
    const { experts, weights } = routeBy(sparseMixer(options), Float32Array.of(3, 4, 1, 3.5), 4)
    expect([...experts]).toEqual([1, 3])
    const share = 1 / (1 + Math.exp(-0.5))
    expect(weights[0]).toBeCloseTo(share, 6)
    expect(weights[1]).toBeCloseTo(share, 6)
  })

  test('measures distance by the larger of |logit| and the best', () => {
    // −1 is 0.5 / 1 below −0.5, so alone; at 0, (0 − −1) / 1 = 1; a best of 0 is not far from itself.
    const negative = routeBy(sparseMixer({ numExperts: 2, jitter: 0.1 }), Float32Array.of(-0.5, -1, 0, -1), 2)
    expect([...negative.weights]).toEqual([1, 1, 1, 1])
    const wide = routeBy(sparseMixer({ numExperts: 2, jitter: 0.25 }), Float32Array.of(-0.5, -1), 2)
    expect(wide.weights[0]).toBeCloseTo(1 / (1 + Math.exp(-0.5)), 6)
  })

  test('takes as many experts as it says it does', () => {
    const numExperts = 1 << 20
    const logits = new Float32Array(numExperts).map((_, e) => e / numExperts)
    const { experts } = routeBy(sparseMixer({ numExperts, jitter: 0.01 }), logits, numExperts)
    expect([...experts]).toEqual([numExperts - 1, numExperts - 2])
  })

  test('ties go to the lower expert, and masked experts stay out', () => {
    expect(chosen(routeBy(sparseMixer(options), new Float32Array(4), 4))).toEqual([[0, 1]])
    const masked = Float32Array.of(-Infinity, -Infinity, 1, -Infinity, ...new Array(4).fill(-Infinity))
    const routing = routeBy(sparseMixer(options), masked, 4)
    expect([...routing.experts]).toEqual([2, -1, -1, -1])
    expect([...routing.weights]).toEqual([1, 0, 0, 0])
  })

  test.each([sparseMixer, sparseMixerTraining])('refuses one expert, a jitter below 0, and NaN', (router) => {
    expect(() => router({ numExperts: 1, jitter: 0.1 })).toThrow(InputError)
    expect(() => router({ numExperts: 4, jitter: -0.1 })).toThrow(
      'jitter must be a finite number of at least 0',
    )
    expect(() => routeBy(router(options), Float32Array.of(0, 0, Number.NaN, 0), 4)).toThrow(
      'the logit of token 0 for expert 2',
    )
  })
})

describe('SparseMixer in training', () => {
  const tokens = 4000
  const row = [4, 3.5, 1, 3.4]
  const many = Float32Array.from({ length: tokens * 4 }, (_, i) => row[i % 4])
  const routing = routeBy(sparseMixerTraining(options), many, 4)

  test('draws the first expert with its softmax probability among those close to the best', () => {
    const powers = [4, 3.5, 3.4].map(Math.exp)
    const total = powers.reduce((sum, power) => sum + power, 0)
    const first = [0, 1, 2, 3].map(
      (expert) => chosen(routing).filter(([best]) => best === expert).length / tokens,
    )
    const wanted = [powers[0], powers[1], 0, powers[2]].map((power) => power / total)
    first.forEach((share, expert) => {
      const deviation = Math.sqrt((wanted[expert] * (1 - wanted[expert])) / tokens)
      expect(Math.abs(share - wanted[expert])).toBeLessThanOrEqual(4 * deviation)
    })
  })

  test('counts a third of the weight in three draws of four that are not the best', () => {
    const secondFirst = chosen(routing).flatMap(([best], token) =>
      best === 1 ? [routing.weights[2 * token]] : [],
    )
    const probability = Math.exp(3.5) / (Math.exp(4) + Math.exp(3.5) + Math.exp(3.4))
    const whole = secondFirst.filter((weight) => Math.abs(weight - probability) < 1e-6).length
    const third = secondFirst.filter((weight) => Math.abs(weight - 0.3333 * probability) < 1e-6).length
    expect(whole + third).toBe(secondFirst.length)
    const deviation = Math.sqrt((0.25 * 0.75) / secondFirst.length)
    expect(Math.abs(whole / secondFirst.length - 0.25)).toBeLessThan(4 * deviation)
    const bestFirst = chosen(routing).flatMap(([best], token) =>
      best === 0 ? [routing.weights[2 * token]] : [],
    )
    expect(new Set(bestFirst).size).toBe(1)
  })

  test('chooses two distinct experts, the same for the same seed, and none where all are masked', () => {
    for (const [a, b] of chosen(routing)) expect(a).not.toBe(b)
    expect(routeBy(sparseMixerTraining(options), many, 4)).toEqual(routing)
    const closed = new Float32Array(4).fill(-Infinity)
    expect(chosen(routeBy(sparseMixerTraining(options), closed, 4))).toEqual([[]])
  })
})
