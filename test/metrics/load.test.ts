import fc from 'fast-check'
import {
  balanceOf,
  balanceOfLayers,
  coefficientOfVariation,
  deadExperts,
  effectiveExperts,
  entropy,
  gini,
  globalMaxViolation,
  InputError,
  imbalanceScore,
  layersOf,
  maxOverMean,
  maxOverMin,
  maxViolation,
  meanBalancedness,
  meanMaxViolation,
  meanViolation,
  minViolation,
  normalizedEntropy,
  sumLoads,
  unbiasedVariation,
  utilization,
  utilizationQuartiles,
} from 'moesim'
import { describe, expect, test } from 'vitest'

const loads = fc.array(fc.nat({ max: 1000 }), { minLength: 1, maxLength: 40 })

describe('balance figures', () => {
  test('of the loads 10, 20, 30, 40, worked out by hand', () => {
    const figures = balanceOf([10, 20, 30, 40])
    expect(figures.maxViolation).toBeCloseTo(0.6, 12)
    expect(figures.maxOverMean).toBeCloseTo(1.6, 12)
    expect(figures.coefficientOfVariation).toBeCloseTo(0.4472136, 7)
    expect(figures.gini).toBeCloseTo(0.25, 12)
    expect(figures.normalizedEntropy).toBeCloseTo(0.9232197, 7)
    expect(figures.deadExperts).toBe(0)
  })

  test('at perfect balance, and with all load on one expert', () => {
    const equal = {
      maxViolation: 0,
      maxOverMean: 1,
      coefficientOfVariation: 0,
      gini: 0,
      normalizedEntropy: 1,
      deadExperts: 0,
    }
    expect(balanceOf([7, 7, 7, 7])).toEqual(equal)
    expect(balanceOf([7])).toEqual(equal)
    const one = balanceOf([0, 0, 12, 0])
    expect(one).toMatchObject({
      maxViolation: 3,
      maxOverMean: 4,
      gini: 0.75,
      normalizedEntropy: 0,
      deadExperts: 3,
    })
    expect(one.coefficientOfVariation).toBeCloseTo(Math.sqrt(3), 12)
  })

  test.each([Number.NaN, -1, Infinity, 1.7e308, undefined])('of a load of %s are refused', (odd) => {
    const load = [3, odd as number, 1e308]
    const message = (name: string): string =>
      `${name}: load must be finite, at least 0, got ${odd === 1.7e308 ? 1e308 : odd}. It is how many tokens an expert has.`
    for (const figure of [
      maxViolation,
      maxOverMean,
      coefficientOfVariation,
      gini,
      normalizedEntropy,
      entropy,
      deadExperts,
    ]) {
      expect(() => figure(load)).toThrow(InputError)
      expect(() => figure(load)).toThrow(message(figure.name))
    }
    expect(() => balanceOf(load)).toThrow(message('maxViolation'))
    expect(() => imbalanceScore(load, 9)).toThrow(message('imbalanceScore'))
    expect(() => meanBalancedness(Float64Array.of(1, Number.NaN), 2)).toThrow('balancedness: load')
    expect(() => imbalanceScore([1, 2], Number.NaN)).toThrow('tokens must be at least 0, got NaN')
    for (const figure of [utilization, maxOverMin, effectiveExperts])
      expect(() => figure(load)).toThrow(message(figure.name))
    for (const figure of [utilizationQuartiles, minViolation, meanViolation, unbiasedVariation])
      expect(() => figure(load)).toThrow(message('utilization'))
  })

  test('of no load at all are those of balance, with every expert dead', () => {
    expect(balanceOf([0, 0])).toEqual({
      maxViolation: 0,
      maxOverMean: 1,
      coefficientOfVariation: 0,
      gini: 0,
      normalizedEntropy: 1,
      deadExperts: 2,
    })
  })

  test('do not care for the order of experts, nor (but for dead ones) for the scale', () => {
    fc.assert(
      fc.property(loads, fc.integer({ min: 2, max: 9 }), (load, factor) => {
        const backwards = balanceOf([...load].reverse())
        const scaled = balanceOf(load.map((count) => count * factor))
        for (const [name, value] of Object.entries(balanceOf(load))) {
          expect(backwards[name as keyof typeof backwards]).toBeCloseTo(value, 9)
          expect(scaled[name as keyof typeof scaled]).toBeCloseTo(value, 9)
        }
      }),
    )
  })

  test('stay within their bounds', () => {
    fc.assert(
      fc.property(loads, (load) => {
        const E = load.length
        expect(maxViolation(load)).toBeGreaterThanOrEqual(0)
        expect(maxOverMean(load)).toBeLessThanOrEqual(E + 1e-9)
        expect(coefficientOfVariation(load)).toBeLessThanOrEqual(Math.sqrt(E - 1) + 1e-9)
        expect(gini(load)).toBeGreaterThanOrEqual(0)
        expect(gini(load)).toBeLessThanOrEqual((E - 1) / E + 1e-9)
        expect(normalizedEntropy(load)).toBeLessThanOrEqual(1 + 1e-12)
        expect(deadExperts(load)).toBe(load.filter((count) => count === 0).length)
      }),
    )
  })

  test('Gini is half the mean difference over the mean, by its definition', () => {
    fc.assert(
      fc.property(loads, (load) => {
        const sum = load.reduce((total, count) => total + count, 0)
        fc.pre(sum > 0)
        const differences = load
          .flatMap((a) => load.map((b) => Math.abs(a - b)))
          .reduce((total, d) => total + d, 0)
        expect(gini(load)).toBeCloseTo(differences / (2 * load.length * sum), 9)
      }),
    )
  })
})

describe('figures of several layers', () => {
  const load = Int32Array.of(10, 20, 30, 40, 25, 25, 25, 25)

  test('are means over layers, as papers quote MaxVio', () => {
    expect(meanMaxViolation(load, 4)).toBeCloseTo(0.3, 12)
    const figures = balanceOfLayers(load, 4)
    expect(figures.maxViolation).toBeCloseTo(0.3, 12)
    expect(figures.maxOverMean).toBeCloseTo(1.3, 12)
    expect(figures.gini).toBeCloseTo(0.125, 12)
    expect(figures.coefficientOfVariation).toBeCloseTo(0.4472136 / 2, 7)
    expect(figures.normalizedEntropy).toBeCloseTo((1 + 0.9232197) / 2, 7)
    expect(figures.deadExperts).toBe(0)
  })

  test('global MaxVio sums the batches first: what they do in turns cancels', () => {
    const batches = [Int32Array.of(4, 0), Int32Array.of(0, 4)]
    expect(batches.map((batch) => meanMaxViolation(batch, 2))).toEqual([1, 1])
    expect(globalMaxViolation(batches, 2)).toBe(0)
    expect(batches[0]).toEqual(Int32Array.of(4, 0)) // and the summands stay as they were
  })

  test('layers are views', () => expect(layersOf(load, 4).map((layer) => layer[0])).toEqual([10, 25]))

  test('whole rows are demanded, and at least one batch', () => {
    expect(() => layersOf(load, 3)).toThrow('layersOf: load must be [L, E], whole rows of numExperts = 3')
    expect(() => layersOf(new Int32Array(0), 3)).toThrow('layersOf')
    expect(() => sumLoads([])).toThrow('at least one load')
    expect(() => sumLoads([load, load.slice(1)])).toThrow(
      'sumLoads: every load must hold 8 counts, as the first',
    )
  })
})

describe('imbalanceScore', () => {
  test('is (largest − smallest) / tokens: 0 when equal, 1 when one has every token and another none', () => {
    expect(imbalanceScore([30, 10, 20], 40)).toBe(0.5)
    expect(imbalanceScore([8, 8], 16)).toBe(0)
    expect(imbalanceScore([16, 0, 3], 16)).toBe(1)
    expect(imbalanceScore([0, 0], 0)).toBe(0)
  })
})
