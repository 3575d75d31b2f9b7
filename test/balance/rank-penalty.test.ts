import {
  type Balance,
  biasedLogitRouter,
  gaussian,
  noBalance,
  type RouterConfig,
  rankPenaltyBalance,
  simulate,
} from 'moesim'
import { describe, expect, test } from 'vitest'

describe('the penalty of overloaded ranks', () => {
  test('is −λ times the excess of the averaged load over the fair share, for all experts of the rank', () => {
    const rule = rankPenaltyBalance({ ranks: 2 })
    const once = rule.update(rule.init(4), Int32Array.of(100, 60, 30, 10))
    expect([...once.rankLoad]).toEqual([16, 4]) // a tenth of 160 and 40
    expect(rule.bias(once)[0]).toBeCloseTo(-1.2, 6) // 2 · (16 / 10 − 1)
    expect([...rule.bias(once)].slice(1)).toEqual([rule.bias(once)[0], 0, 0])
    const twice = rule.update(once, Int32Array.of(0, 0, 100, 100))
    expect(twice.rankLoad[0]).toBeCloseTo(14.4, 5)
    expect(twice.rankLoad[1]).toBeCloseTo(23.6, 5)
    expect(rule.bias(twice)[3]).toBeCloseTo(-2 * (23.6 / 19 - 1), 5)
    expect(rule.bias(twice)[0]).toBe(0)
  })

  test('is none before the first load, none for a single rank, and small while the average is below 1', () => {
    const rule = rankPenaltyBalance({ ranks: 4 })
    expect(rule.bias(rule.init(4))).toEqual(new Float32Array(4))
    expect(rule.bias(rule.update(rule.init(4), Int32Array.of(9, 0, 0, 0)))).toEqual(new Float32Array(4))
    const single = rankPenaltyBalance({ ranks: 1 })
    expect(single.bias(single.update(single.init(3), Int32Array.of(50, 0, 0)))).toEqual(new Float32Array(3))
  })

  test('counts more than 2^31 tokens of a rank', () => {
    const rule = rankPenaltyBalance({ ranks: 1 })
    expect(rule.update(rule.init(2), Int32Array.of(2e9, 2e9)).rankLoad[0]).toBe(
      Math.fround(4e9 * Math.fround(0.1)),
    )
  })

  test('evens ranks out, not the experts within one', () => {
    const config: RouterConfig = {
      numExperts: 16,
      topK: 2,
      scoreFunction: 'softmax',
      softmaxOrder: 'afterTopK',
      normalize: false,
      scale: 1,
    }
    const ranks = (load: Int32Array): number[] =>
      [0, 4, 8, 12].map((from) => load.slice(from, from + 4).reduce((sum, count) => sum + count, 0))
    const setup = {
      router: biasedLogitRouter(config),
      workload: gaussian({ numExperts: 16, skew: 0.5 }),
      tokensPerStep: 512,
      steps: 100,
    }
    const busiest = <State>(balance: Balance<State>): number => {
      const late = [...simulate({ ...setup, balance })].slice(50)
      return late.reduce((sum, { load }) => sum + Math.max(...ranks(load)) / 256, 0) / 50
    }
    expect(busiest(noBalance)).toBeGreaterThan(2)
    expect(busiest(rankPenaltyBalance({ ranks: 4 }))).toBeLessThan(1.4)
    // Without a long memory the penalty drives a rank's tokens away all at once, and back again.
    expect(busiest(rankPenaltyBalance({ ranks: 4, alpha: 1 }))).toBeGreaterThan(2.2)
    const [, , last] = simulate({ ...setup, balance: rankPenaltyBalance({ ranks: 4 }), steps: 3 })
    expect(last.load[15] / last.load[12]).toBeGreaterThan(1.3)
  })

  test.each([
    [{ ranks: 0 }, 'ranks must be a whole number'],
    [{ ranks: 2, alpha: 0 }, 'alpha must be in (0, 1]'],
    [{ ranks: 2, alpha: 1.1 }, 'alpha must be in (0, 1]'],
    [{ ranks: 2, lambda: Number.NaN }, 'lambda must be a finite number'],
  ])('refuses %o', (options, message) => {
    expect(() => rankPenaltyBalance(options)).toThrow(message)
  })

  test('refuses ranks that do not divide the experts', () => {
    expect(() => rankPenaltyBalance({ ranks: 3 }).init(4)).toThrow('ranks must divide numExperts = 4')
  })
})
