import { Decimal } from 'decimal.js'
import fc from 'fast-check'
import { expectedLargestNormal, normalCdf, normalDensity, normalQuantile } from 'moesim'
import { describe, expect, test } from 'vitest'

const Exact = Decimal.clone({ precision: 60 })

/** φ(x) from decimal.js, exact to 50 digits. */
const exactDensity = (x: number): Decimal =>
  new Exact(x).pow(2).div(-2).exp().div(Exact.acos(-1).times(2).sqrt())

/** Φ(x) by the series around 0, in enough digits that nothing is left of its cancellation. */
function exactCdf(x: number): Decimal {
  const Wide = Decimal.clone({ precision: 60 + Math.ceil((x * x) / 2) })
  const square = new Wide(x).pow(2)
  let term = new Wide(x)
  let sum = term
  for (let odd = 3; term.abs().gt(new Wide(10).pow(-Wide.precision)); odd += 2) {
    term = term.times(square).div(odd)
    sum = sum.plus(term)
  }
  const density = square.div(-2).exp().div(Wide.acos(-1).times(2).sqrt())
  return density.times(sum).plus(0.5)
}

const relativeError = (actual: number, exact: Decimal): number =>
  exact.minus(actual).div(exact).abs().toNumber()

/** Short in decimal and in binary, so that decimal.js reads the very number; around 1.5 the method changes. */
const grid = (x: number): number => Math.round(x * 1024) / 1024
const points = [0, 0.3, 1, 1.4, 1.499, 1.5, 1.501, 1.6, 1.8, 2, 2.5, 3, 4.7, 6, 8.3, 11, 17.77].map(grid)

describe('the normal distribution', () => {
  test('normalDensity is within 1e-15 of the exact value, relative', () => {
    for (const x of [...points, grid(30.03), 37.5]) {
      expect(relativeError(normalDensity(x), exactDensity(x)), `φ(${x})`).toBeLessThan(1e-15)
      expect(normalDensity(-x)).toBe(normalDensity(x))
    }
  })

  test('normalCdf is within 6e-15 of the exact value, relative, in both tails', () => {
    const some = Array.from({ length: 60 }, (_, i) => grid(((i * 0.61803398875) % 1) * (i < 30 ? 3 : 14)))
    for (const x of [...points, ...some].flatMap((size) => [size, -size])) {
      expect(relativeError(normalCdf(x), exactCdf(x)), `Φ(${x})`).toBeLessThan(6e-15)
    }
  })

  test('has the known values', () => {
    expect(normalCdf(0)).toBe(0.5)
    expect(normalCdf(1.959963984540054)).toBeCloseTo(0.975, 15)
    expect(normalDensity(0)).toBeCloseTo(0.3989422804014327, 16)
  })

  test('ends at 0 and 1, and passes NaN on', () => {
    expect([normalCdf(-Infinity), normalCdf(Infinity)]).toEqual([0, 1])
    expect([normalDensity(-Infinity), normalDensity(Infinity)]).toEqual([0, 0])
    expect([normalCdf(Number.NaN), normalDensity(Number.NaN)]).toEqual([Number.NaN, Number.NaN])
  })

  test('the expected largest of 1, 2 and 3 draws is 0, 1 / √π and 3 / (2 √π)', () => {
    const known = [0, 1, 1.5].map((value) => value / Math.sqrt(Math.PI))
    for (const [i, value] of known.entries()) expect(expectedLargestNormal(i + 1)).toBeCloseTo(value, 12)
  })

  test('Φ undoes its quantile', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-300, max: 0.5, noNaN: true }), (p) => {
        // an error of ε in x moves Φ by x² ε, relative
        const x = normalQuantile(p)
        expect(Math.abs(normalCdf(x) - p) / p).toBeLessThan(1e-14 + 1e-15 * x * x)
      }),
    )
  })
})
