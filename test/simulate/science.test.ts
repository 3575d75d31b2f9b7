import { biasBalance, expectedMaxViolation, gaussian, simulate } from 'moesim'
import { describe, expect, test } from 'vitest'

// Short cases of `npm run science`, which has the long ones: logits c_e + N(0, 1), c_e = 0.5 · Φ⁻¹((e + ½) / 64).
const numExperts = 64
const router = { numExperts, topK: 6, scoreFunction: 'sigmoid', normalize: true, scale: 1 } as const

function run(balance: ReturnType<typeof biasBalance>, tokensPerStep: number, steps: number, skew = 0.5) {
  const reports = simulate({
    router,
    balance,
    workload: gaussian({ numExperts, skew }),
    tokensPerStep,
    steps,
    seed: 1,
  })
  return Array.from(reports, ({ maxViolation, biasMean }) => ({
    violation: maxViolation,
    meanBias: biasMean[0],
  }))
}

const mean = (values: readonly { violation: number }[]): number =>
  values.reduce((sum, { violation }) => sum + violation, 0) / values.length

const firstBelow = (reports: readonly { violation: number }[], limit: number): number =>
  reports.findIndex((_, step) => mean(reports.slice(step, step + 20)) < limit)

describe('the sign rule', () => {
  test('at u = 1e-2 starts at 3.2, is in balance within 16 ± 4 steps and settles at 0.197 ± 4 %', () => {
    const reports = run(biasBalance({ rate: 1e-2 }), 8192, 100)
    expect(Math.abs(reports[0].violation - 3.2)).toBeLessThan(0.1)
    expect(Math.abs(firstBelow(reports, 0.2) - 16)).toBeLessThanOrEqual(4)
    expect(Math.abs(mean(reports.slice(20)) / 0.197 - 1)).toBeLessThan(0.04)
  })

  test('at u = 1e-3 is in balance at step 141 ± 5', () => {
    expect(Math.abs(firstBelow(run(biasBalance({ rate: 1e-3 }), 8192, 165), 0.2) - 141)).toBeLessThanOrEqual(
      5,
    )
  })

  test('at u = 1e-4 goes as far in 60 steps as at u = 1e-3 in 6', () => {
    const slow = run(biasBalance({ rate: 1e-4 }), 2048, 61)[60].violation
    const fast = run(biasBalance({ rate: 1e-3 }), 2048, 7)[6].violation
    expect(Math.abs(slow / fast - 1)).toBeLessThan(0.1)
  })
})

describe('the proportional rule in units of the mean load', () => {
  const settled = (rate: number) =>
    run(biasBalance({ rate, rule: 'proportional', unit: 'mean' }), 2048, 120, 0).slice(40)
  const h = 10.7 // hazard of the score density at the threshold, for 6 of 64 and unit logits
  const floor = expectedMaxViolation({ tokens: 2048, numExperts, topK: 6 })

  test.each([0.01, 0.1])(
    'at u = %d settles at the floor times √(2 / (2 − h·u)), with a mean bias of 0',
    (rate) => {
      const reports = settled(rate)
      expect(Math.abs(mean(reports) / (floor * Math.sqrt(2 / (2 - h * rate))) - 1)).toBeLessThan(0.1)
      for (const { meanBias } of reports) expect(Math.abs(meanBias)).toBeLessThan(1e-6)
    },
  )

  test('diverges where h·u is above 2', () => {
    expect(mean(settled(2.6 / h))).toBeGreaterThan(5 * floor)
  })
})
