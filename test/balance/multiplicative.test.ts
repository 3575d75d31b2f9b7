import { gaussian, multiplicativeBalance, multiplicativeRouter, type RouterConfig, simulate } from 'moesim'
import { describe, expect, test } from 'vitest'

const config: RouterConfig = { numExperts: 16, topK: 2, scoreFunction: 'sigmoid', normalize: true, scale: 1 }

describe('a bias that multiplies', () => {
  test('starts at 1 and moves by u against the load', () => {
    const rule = multiplicativeBalance({ rate: 0.25 })
    expect([...rule.bias(rule.init(3))]).toEqual([1, 1, 1])
    const state = rule.update(rule.init(3), Int32Array.of(4, 2, 0))
    expect([...rule.bias(state)]).toEqual([0.75, 1, 1.25])
    expect(state.updates).toBe(1)
  })

  test('brings a router that selects on score × bias into balance', () => {
    const reports = [
      ...simulate({
        router: multiplicativeRouter(config),
        balance: multiplicativeBalance({ rate: 1e-2 }),
        workload: gaussian({ numExperts: 16, skew: 0.5 }),
        tokensPerStep: 512,
        steps: 80,
        seed: 1,
      }),
    ]
    expect(reports[0].maxViolation).toBeGreaterThan(1)
    const late = reports.slice(50).reduce((sum, { maxViolation }) => sum + maxViolation, 0) / 30
    expect(late).toBeLessThan(1.4 * reports[0].expectedMaxViolation)
  })

  test('refuses what biasBalance refuses', () => {
    expect(() => multiplicativeBalance({ rate: Number.NaN })).toThrow(
      'rate must be a finite number, 0 or more, or a schedule',
    )
  })
})
