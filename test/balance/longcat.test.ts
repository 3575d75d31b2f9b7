import { gaussian, InputError, longcat, longcatBalance, realExpertsPerToken, simulate } from 'moesim'
import { describe, expect, test } from 'vitest'

const options = { rate: 0.5, numReal: 2, topK: 2, realPerToken: 1 }

describe('longcatBalance', () => {
  test('moves real experts by μ (K_e / K / N − share of the load), by hand, and leaves zero experts at 0', () => {
    const rule = longcatBalance(options)
    // Target 1 / 2 / 2 = 0.25; shares 0.5, 0, 0.25 and 0.25 of 8 assignments.
    const state = rule.update(rule.init(4), Int32Array.of(4, 0, 2, 2))
    expect([...rule.bias(state)]).toEqual([-0.125, 0.125, 0, 0])
    expect(state.updates).toBe(1)
  })

  test('has a steady state where every real expert has its share, whatever the zero experts have', () => {
    const rule = longcatBalance(options)
    expect([...rule.bias(rule.update(rule.init(4), Int32Array.of(5, 5, 9, 1)))]).toEqual([0, 0, 0, 0])
  })

  test('takes a schedule of the updates so far; a step without load changes nothing', () => {
    const rule = longcatBalance({ ...options, rate: (update) => (update === 0 ? 1 : 0) })
    const once = rule.update(rule.init(4), Int32Array.of(4, 0, 2, 2))
    expect([...rule.bias(once)]).toEqual([-0.25, 0.25, 0, 0])
    expect([...rule.bias(rule.update(once, Int32Array.of(4, 0, 2, 2)))]).toEqual([-0.25, 0.25, 0, 0])
    const still = longcatBalance(options)
    expect([...still.bias(still.update(still.init(4), new Int32Array(4)))]).toEqual([0, 0, 0, 0])
  })

  test('holds the mean number of real experts a token, and balances them', () => {
    const numReal = 16
    const router = longcat({ numReal, numZero: 8, topK: 6, scale: 6 })
    const setup = {
      router,
      balance: longcatBalance({ rate: 0.02, numReal, topK: 6, realPerToken: 3 }),
      workload: gaussian({ numExperts: 24, skew: 0.5 }),
      tokensPerStep: 512,
      seed: 1,
      steps: 400,
    }
    const real: number[] = []
    for (const { routings } of simulate(setup)) {
      real.push(realExpertsPerToken(routings[0], numReal).reduce((sum, count) => sum + count, 0) / 512)
    }
    expect(real[0]).toBeLessThan(2.9) // the zero experts, the last ones, are the most wanted at the start
    const late = real.slice(-50).reduce((sum, value) => sum + value, 0) / 50
    expect(Math.abs(late - 3)).toBeLessThan(0.05)
  })

  test.each([
    { rate: Number.NaN },
    { rate: '1' },
    { numReal: 0 },
    { topK: 0 },
    { realPerToken: 0 },
    { realPerToken: 2.1 },
  ])('refuses %o', (change) => {
    const bad = { ...options, ...change } as typeof options
    expect(() => longcatBalance(bad)).toThrow(InputError)
    expect(() => longcatBalance(bad)).toThrow(Object.keys(change)[0])
  })

  test('refuses a router with fewer experts than real ones', () => {
    expect(() => longcatBalance({ ...options, numReal: 5 }).init(4)).toThrow('at most the router')
  })
})
