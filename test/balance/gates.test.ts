import {
  type Balance,
  biasBalance,
  expectedMaxViolation,
  gaussian,
  type RouterConfig,
  simulate,
  smebuBalance,
} from 'moesim'
import { describe, expect, test } from 'vitest'

// Where each rule settles with experts equally wanted, 64 of which 6 are chosen; `npm run science` has unequal ones.
const [tokensPerStep, numExperts, topK] = [2048, 64, 6]
const floor = expectedMaxViolation({ tokens: tokensPerStep, numExperts, topK })

function settles<State>(scoreFunction: RouterConfig['scoreFunction'], balance: Balance<State>): number {
  const router: RouterConfig = { numExperts, topK, scoreFunction, normalize: true, scale: 1 }
  const workload = gaussian({ numExperts })
  const reports = [...simulate({ router, balance, workload, tokensPerStep, steps: 32, seed: 1 })].slice(8)
  return reports.reduce((sum, { maxViolation }) => sum + maxViolation, 0) / reports.length / floor
}

describe('the rules at u = 1e-3', () => {
  test('by softmax scores, a fifth as far apart, sign steps are too coarse; proportional ones are not', () => {
    expect(settles('softmax', biasBalance({ rate: 1e-3 }))).toBeGreaterThan(1.2)
    const proportional = biasBalance({ rate: 1e-3, rule: 'proportional', unit: 'mean' })
    expect(Math.abs(settles('softmax', proportional) - 1)).toBeLessThan(0.08)
  })

  test('by sigmoid scores, sign steps cost little and soft-clamped ones nothing to speak of', () => {
    const sign = settles('sigmoid', biasBalance({ rate: 1e-3 }))
    expect(sign).toBeLessThan(1.15)
    expect(settles('sigmoid', smebuBalance({ rate: 1e-3 }))).toBeLessThan(1.05)
  })
})
