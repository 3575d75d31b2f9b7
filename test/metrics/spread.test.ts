import fc from 'fast-check'
import {
  coefficientOfVariation,
  concentration,
  deadExperts,
  effectiveExperts,
  expertDiversity,
  maxOverMean,
  maxOverMin,
  maxViolation,
  meanBalancedness,
  meanViolation,
  minViolation,
  normalizedEntropy,
  pooledBalancedness,
  predictability,
  unbiasedVariation,
  utilization,
  utilizationQuartiles,
} from 'moesim'
import { describe, expect, test } from 'vitest'

const loads = fc.array(fc.nat({ max: 1000 }), { minLength: 1, maxLength: 40 })

describe('figures of a load', () => {
  test('of 10, 20, 30, 40, worked out by hand', () => {
    const load = [10, 20, 30, 40]
    expect(minViolation(load)).toBeCloseTo(-0.6, 12)
    expect(meanViolation(load)).toBeCloseTo(0.4, 12)
    expect(unbiasedVariation(load)).toBeCloseTo(0.5163978, 7)
    expect(unbiasedVariation(load) ** 2).toBeCloseTo(0.2666667, 7)
    expect(expertDiversity(load)).toBeCloseTo(0.899029, 6)
    expect(effectiveExperts(load)).toBeCloseTo(Math.exp(1.2798543), 6)
    expect(maxOverMin(load)).toBeCloseTo(3.7272727, 7)
    expect([...utilization(load)]).toEqual([0.4, 0.8, 1.2, 1.6])
    expect(concentration(load, 1)).toBeCloseTo(1.6, 12)
    expect(concentration(load, 2)).toBeCloseTo(1.4, 12)
    expect(concentration(load, 4)).toBeCloseTo(1, 12)
  })

  // NeMo Automodel, its tests of load balance metrics.
  test('of the loads that Automodel tests', () => {
    const [most, least] = [
      [400, 100, 100, 100],
      [100, 0, 100, 100],
    ]
    expect(maxOverMean(most)).toBeCloseTo(400 / 175, 12)
    expect(utilization(most).sort()[0]).toBeCloseTo(100 / 175, 12)
    expect(unbiasedVariation(most)).toBeGreaterThan(0.5)
    expect(maxOverMean(least)).toBeCloseTo(100 / 75, 12)
    const { p25, p75 } = utilizationQuartiles([0, 100, 200, 300, 400, 500, 600, 700])
    expect([p25, p75]).toEqual([200 / 350, 600 / 350])
    for (const [load, dead, diversity] of [
      [[400, 0, 0, 0], 0.75, 0.25],
      [[200, 200, 0, 0], 0.5, 0.5],
      [[0, 0, 0, 0], 1, 0],
    ] as const) {
      expect(deadExperts(load) / 4).toBe(dead)
      expect(expertDiversity(load)).toBeCloseTo(diversity, 12)
    }
  })

  test('agree with their kin', () => {
    fc.assert(
      fc.property(loads, (load) => {
        const used = load.some((count) => count > 0)
        const E = load.length
        expect(Math.max(...utilization(load))).toBeCloseTo(maxOverMean(load), 9)
        expect(unbiasedVariation(load)).toBeCloseTo(
          E === 1 ? 0 : coefficientOfVariation(load) * Math.sqrt(E / (E - 1)),
          9,
        )
        expect(effectiveExperts(load)).toBeCloseTo(used ? E ** normalizedEntropy(load) : 0, 9)
        expect(minViolation(load)).toBeLessThanOrEqual(maxViolation(load) + 1e-12)
        expect(meanViolation(load)).toBeLessThanOrEqual(2 + 1e-12)
        expect(concentration(load, E)).toBeCloseTo(1, 9)
        for (let top = 1; top < E; top++) {
          expect(concentration(load, top) + 1e-9).toBeGreaterThanOrEqual(concentration(load, top + 1))
        }
      }),
    )
  })

  test('of no load are those of balance, with no effective expert', () => {
    const none = [0, 0, 0]
    expect([minViolation(none), meanViolation(none), unbiasedVariation(none)]).toEqual([0, 0, 0])
    expect([maxOverMin(none), concentration(none, 2), effectiveExperts(none)]).toEqual([1, 1, 0])
    expect(utilizationQuartiles(none)).toEqual({ p25: 1, p75: 1 })
    expect(unbiasedVariation([7])).toBe(0)
  })
})

describe('balancedness', () => {
  // vLLM, tests/distributed/test_eplb_algo.py: mean 50, max 200.
  test('of the loads that vLLM tests', () => {
    expect(pooledBalancedness(Int32Array.of(100, 0, 0, 0, 100, 0, 0, 0), 4)).toBe(0.25)
  })

  test('a busy layer weighs more in the pooled figure than in the mean', () => {
    const load = Int32Array.of(90, 10, 3, 3)
    expect(meanBalancedness(load, 2)).toBeCloseTo((50 / 90 + 1) / 2, 6)
    expect(pooledBalancedness(load, 2)).toBeCloseTo(53 / 93, 12)
  })

  test('of one layer is 1 / (1 + MaxVio), of no load 1', () => {
    fc.assert(
      fc.property(loads, (load) => {
        const layer = Int32Array.from(load)
        const wanted = 1 / (1 + maxViolation(load))
        expect(pooledBalancedness(layer, load.length)).toBeCloseTo(wanted, 9)
        if (load.some((count) => count > 0)) {
          expect(meanBalancedness(layer, load.length)).toBeCloseTo(wanted, 4)
        }
      }),
    )
    expect([pooledBalancedness, meanBalancedness].map((of) => of(new Int32Array(6), 3))).toEqual([1, 1])
  })
})

describe('predictability', () => {
  test('by hand, with equal loads at their mean rank', () => {
    expect(predictability([1, 2, 3, 4], [1, 2, 4, 3]).spearman).toBeCloseTo(0.8, 12)
    expect(predictability([1, 1, 2], [1, 2, 3]).spearman).toBeCloseTo(Math.sqrt(3) / 2, 12)
    expect(predictability([3, 4], [4, 3]).cosine).toBeCloseTo(24 / 25, 12)
  })

  test('the hot set is the busiest eighth', () => {
    const load = Array.from({ length: 16 }, (_, e) => e)
    const swapped = [15, ...load.slice(1, 15), 0]
    expect(predictability(load, load).hotOverlap).toBe(1)
    expect(predictability(load, swapped).hotOverlap).toBe(1 / 2)
    expect(predictability([5, 5, 1], [5, 1, 5]).hotOverlap).toBe(1) // ties to the lower index
  })

  test('of itself is perfect, of its reverse the reverse, and symmetric', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat({ max: 1000 }), { minLength: 2, maxLength: 40 }), (load) => {
        const same = predictability(load, load)
        expect(same.cosine).toBeCloseTo(1, 9)
        expect(same.spearman).toBeCloseTo(1, 9)
        const reverse = load.map((count) => 1000 - count)
        expect(predictability(load, reverse).spearman).toBeCloseTo(-1, 9)
        const other = [...load].reverse()
        expect(predictability(load, other).cosine).toBeCloseTo(predictability(other, load).cosine, 12)
      }),
    )
  })

  test.each([Number.NaN, -1, Infinity])('of a load of %d is refused', (odd) => {
    const message = `predictability: load must be finite, at least 0, got ${odd}`
    expect(() => predictability([odd, 1], [1, 2])).toThrow(message)
    expect(() => predictability([1, 2], [odd, 1])).toThrow(message)
  })

  test('of loads that do not differ, or are none, is 0 and not NaN', () => {
    expect(predictability([2, 2], [1, 3])).toMatchObject({ spearman: 0 })
    expect(predictability([0, 0], [1, 3])).toMatchObject({ cosine: 0, spearman: 0 })
  })

  test('is refused for loads of two models, and of none', () => {
    expect(() => predictability([1, 2], [1, 2, 3])).toThrow('of one length, here 3')
    expect(() => predictability([], [])).toThrow('Compare loads of one model.')
  })
})
