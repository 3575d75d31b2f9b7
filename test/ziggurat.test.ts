import fc from 'fast-check'
import { gaussian, normalCdf, normalDensity, normalOf, streams, ziggurat } from 'moesim'
import { describe, expect, test } from 'vitest'
import { withoutWebAssembly } from './kernels/plain.js'

describe('the ziggurat', () => {
  const { layers, heights } = ziggurat()
  const width = (j: number): number => layers[2 * j] * 2 ** 23
  const above = (j: number): number => layers[2 * j + 1]

  test('has 256 layers of one area, the tail being part of the lowest, and closes at the top of the density', () => {
    const tail = above(0)
    const area = tail * heights[1] + Math.sqrt(2 * Math.PI) * normalCdf(-tail)
    expect(width(0) * heights[1]).toBeCloseTo(area, 14)
    for (let j = 1; j < 256; j++) {
      expect(width(j)).toBe(above(j - 1))
      expect(Math.abs(width(j) * (heights[j + 1] - heights[j]) - area)).toBeLessThan(1e-12)
      expect(Math.abs(heights[j] - Math.sqrt(2 * Math.PI) * normalDensity(width(j)))).toBeLessThan(1e-15)
    }
    expect([above(255), heights[256]]).toEqual([0, 1])
  })

  test('takes the sign and the place from the upper 24 bits, the layer from the lower 8', () => {
    const never = (): number => expect.fail('this draw is inside its layer')
    expect(normalOf(0x00000103, ziggurat(), never)).toBe(1.5 * layers[6])
    expect(normalOf(~0x00000103 ^ 0xff, ziggurat(), never)).toBe(-1.5 * layers[6])
  })

  test('asks for more words only outside the layer above, and starts again where they refuse', () => {
    const edge = 0x7fffff03 | 0 // the very edge of layer 3
    const asked: number[] = []
    const lowest = (i: number): number => asked.push(i) && 0 // the lowest height lies under the density
    const accepted = normalOf(edge, ziggurat(), lowest)
    expect(asked).toEqual([0])
    expect(accepted).toBeCloseTo(width(3), 5)
    const words = [-1, 0x00000103] // the greatest height lies over it; then a draw that is inside
    expect(normalOf(edge, ziggurat(), (i) => words[i])).toBe(1.5 * layers[6])
  })

  test('draws the tail beyond the base by Marsaglia’s rule, both signs', () => {
    const words = [-1, 0x40000000, 0x7fffffff, -1, 0x1000, 0x40000000, 0x40000000]
    const draw = (word: number): number => normalOf(word, ziggurat(), (i) => words[i % words.length])
    expect(draw(0x7fffff00)).toBeGreaterThan(above(0))
    expect(draw(0x80000000 | 0)).toBe(-draw(0x7fffff00))
  })
})

describe('normals', () => {
  const many = 1 << 22
  const values = gaussian({ numExperts: 1024 })({
    tokens: many / 1024,
    step: 0,
    layer: 0,
    random: streams('normals'),
  }).logits!

  test('fill 1,000 equally likely bins alike', () => {
    const bins = new Float64Array(1000)
    for (const x of values) bins[Math.floor(1000 * normalCdf(x))]++
    const chiSquare = bins.reduce((sum, count) => sum + (count - many / 1000) ** 2 / (many / 1000), 0)
    expect(Math.abs(chiSquare - 999)).toBeLessThan(4.5 * Math.sqrt(2 * 999))
  })

  test.each([1, 2, 3, 3.6541528853610088, 4, 4.5])('go beyond ±%d as often as they should', (x) => {
    for (const sign of [-1, 1]) {
      const beyond = values.reduce((count, value) => count + (sign * value > x ? 1 : 0), 0)
      const expected = normalCdf(-x) * many
      expect(Math.abs(beyond - expected)).toBeLessThan(4.5 * Math.sqrt(expected))
    }
  })

  test('are independent of their neighbours in the row, in the next token and at the next step', () => {
    const next = gaussian({ numExperts: 1024 })({
      tokens: many / 1024,
      step: 1,
      layer: 0,
      random: streams('normals'),
    }).logits!
    const correlation = (other: (i: number) => number): number =>
      values.reduce((sum, x, i) => sum + x * other(i), 0) / Math.sqrt(many)
    for (const lag of [1, 2, 3, 4, 1024])
      expect(Math.abs(correlation((i) => values[(i + lag) % many]))).toBeLessThan(4.5)
    expect(Math.abs(correlation((i) => next[i]))).toBeLessThan(4.5)
    const sizes = values.reduce((sum, x, i) => sum + (x * x - 1) * (values[(i + 1) % many] ** 2 - 1), 0)
    expect(Math.abs(sizes / 2 / Math.sqrt(many))).toBeLessThan(4.5)
  })

  test('are the same from the kernel and from its plain twin, any width, at any step and layer', () => {
    const cases = fc.record({
      numExperts: fc.integer({ min: 1, max: 70 }),
      tokens: fc.nat(40),
      step: fc.nat(2 ** 31 - 1),
      layer: fc.nat(2 ** 16 - 1),
      skew: fc.double({ min: -3, max: 3, noNaN: true }),
      spread: fc.double({ min: -3, max: 3, noNaN: true }),
      seed: fc.integer(),
    })
    fc.assert(
      fc.property(cases, ({ numExperts, tokens, step, layer, skew, spread, seed }) => {
        const draw = () =>
          gaussian({ numExperts, skew, spread })({ tokens, step, layer, random: streams(seed) }).logits
        expect(draw()).toEqual(withoutWebAssembly(draw))
      }),
    )
  })

  test('are the same from both over a million draws, tails and all', () => {
    const workload = gaussian({ numExperts: 128, skew: 0.5 })
    const draw = () => workload({ tokens: 8192, step: 3, layer: 1, random: streams('twins') }).logits!
    const [fast, plain] = [draw(), withoutWebAssembly(draw)]
    expect(fast.findIndex((x, i) => !Object.is(x, plain[i]))).toBe(-1)
  })
})
