import {
  applyCapacity,
  expectedDropShare,
  megatronCapacity,
  noBalance,
  type Router,
  simulate,
  switchCapacity,
  tokenMajorOrder,
} from 'moesim'
import { describe, expect, test } from 'vitest'
import { fair } from '../cost/fair.js'

/** Share dropped of fair routing to 128 experts, 6 a token, at ⌈factor · mean⌉, in percent, to the digits given. */
const table: [tokens: number, byFactor: [factor: number, percent: string][]][] = [
  [
    256,
    [
      [1, '11.17'],
      [1.1, '5.00'],
      [1.25, '3.14'],
      [1.5, '0.60'],
    ],
  ],
  [
    1024,
    [
      [1, '5.61'],
      [1.1, '1.94'],
      [1.25, '0.26'],
      [1.5, '0.002'],
    ],
  ],
  [
    4096,
    [
      [1, '2.81'],
      [1.1, '0.23'],
      [1.25, '0.0006'],
      [1.5, '0'],
    ],
  ],
  [
    16384,
    [
      [1, '1.41'],
      [1.1, '0.003'],
      [1.25, '0'],
      [1.5, '0'],
    ],
  ],
]
const sizes = { numExperts: 128, topK: 6 }

/** Every token chooses 6 of 128 experts, each set with the same chance. */
const fairRouter: Router = ({ tokens }, _bias, { random, layer, step }) =>
  fair(random('noise', layer, step), tokens, 128, 6)

const digits = (percent: string): number => percent.split('.')[1]?.length ?? 0

describe('the share that fair routing drops', () => {
  test.each(table)('%d tokens: the closed form, to every digit of the table', (tokens, byFactor) => {
    for (const [factor, percent] of byFactor) {
      const capacity = megatronCapacity({ ...sizes, tokens }, { factor })
      const share = expectedDropShare({ ...sizes, tokens, capacity })
      expect((100 * share).toFixed(digits(percent))).toBe(percent)
    }
  })

  test.each<[tokens: number, steps: number, factors: number[]]>([
    [256, 400, [1, 1.1, 1.25, 1.5]],
    [1024, 200, [1, 1.1, 1.25, 1.5]],
    [4096, 30, [1, 1.1]], // beyond, so few steps drop too little to tell a spread
    [16384, 12, [1]],
  ])('%d tokens: %d simulated steps agree within 3 standard errors', (tokens, steps, factors) => {
    const limits = factors.map((factor) => megatronCapacity({ ...sizes, tokens }, { factor }))
    const shares: number[][] = limits.map(() => [])
    const workload = () => ({ tokens })
    const setup = {
      router: fairRouter,
      workload,
      balance: noBalance,
      tokensPerStep: tokens,
      steps,
      numExperts: 128,
    }
    for (const { routings } of simulate({ ...setup, seed: 6 })) {
      const order = tokenMajorOrder(routings[0])
      limits.forEach((capacity, i) => {
        shares[i].push(applyCapacity(routings[0], { capacity, order }).dropped / (tokens * 6))
      })
    }
    limits.forEach((capacity, i) => {
      const mean = shares[i].reduce((sum, share) => sum + share, 0) / steps
      const variance = shares[i].reduce((sum, share) => sum + (share - mean) ** 2, 0) / (steps - 1)
      const wanted = expectedDropShare({ ...sizes, tokens, capacity })
      expect(mean).toBeGreaterThan(0)
      expect(Math.abs(mean - wanted), `C = ${capacity}`).toBeLessThan(3 * Math.sqrt(variance / steps))
    })
  })

  test('at a mean load of one, rounding up drops 10 % and rounding down 36 %', () => {
    const one = { tokens: 64, numExperts: 64, topK: 1 }
    const percent = (capacity: number): string => (100 * expectedDropShare({ ...one, capacity })).toFixed(2)
    expect(percent(megatronCapacity(one, { factor: 1.25 }))).toBe('10.08')
    expect(percent(switchCapacity(one, { factor: 1.25 }))).toBe('36.50')
    expect(percent(1.25)).toBe('29.89') // a published figure, of a buffer with a quarter of a row
  })

  test('at the mean load it is about 0.4 times the coefficient of variation', () => {
    const share = expectedDropShare({ ...sizes, tokens: 16384, capacity: 768 })
    expect(share / Math.sqrt((1 - 6 / 128) / 768)).toBeCloseTo(1 / Math.sqrt(2 * Math.PI), 3)
  })

  test('is nothing without tokens or limits, all without room, and plain where nothing is left to chance', () => {
    expect(expectedDropShare({ ...sizes, tokens: 0, capacity: 0 })).toBe(0)
    expect(expectedDropShare({ ...sizes, tokens: 64, capacity: Infinity })).toBe(0)
    expect(expectedDropShare({ ...sizes, tokens: 64, capacity: 0 })).toBeCloseTo(1, 12)
    expect(expectedDropShare({ tokens: 100, numExperts: 8, topK: 8, capacity: 75 })).toBeCloseTo(0.25, 12)
    expect(expectedDropShare({ tokens: 100, numExperts: 1, topK: 1, capacity: 100 })).toBe(0)
    expect(expectedDropShare({ tokens: 100, numExperts: 8, topK: 0, capacity: 1 })).toBe(0)
  })

  test('is refused of what is no batch or no capacity', () => {
    const any = { ...sizes, tokens: 64, capacity: 1 }
    expect(() => expectedDropShare({ ...any, tokens: -1 })).toThrow('tokens must be')
    expect(() => expectedDropShare({ ...any, numExperts: 0 })).toThrow('numExperts must be')
    expect(() => expectedDropShare({ ...any, topK: 129 })).toThrow(
      'topK must be a number from 0 to numExperts = 128',
    )
    expect(() => expectedDropShare({ ...any, capacity: Number.NaN })).toThrow('capacity must be at least 0')
  })
})
