import { cumulative, dirichlet, logGamma, pick, shuffle, streams, threefry, zipf } from 'moesim'
import { describe, expect, test } from 'vitest'

const words = (text: string): number[] => text.split(' ').map((hex) => Number.parseInt(hex, 16))

describe('the counter-based generator', () => {
  // Known answers published with Random123 (tests/kat_vectors): counter, key, result.
  test.each([
    [
      '00000000 00000000 00000000 00000000',
      '00000000 00000000 00000000 00000000',
      '531c7e4f 39491ee5 2c855a92 3d6abf9a',
    ],
    [
      'ffffffff ffffffff ffffffff ffffffff',
      'ffffffff ffffffff ffffffff ffffffff',
      'c4189358 1c9cc83a d5881c67 6a0a89e0',
    ],
    [
      '243f6a88 85a308d3 13198a2e 03707344',
      'a4093822 299f31d0 082efa98 ec4e6c89',
      '4aa71d8f 734738c2 431fc6a8 ae6debf1',
    ],
  ])('is Threefry4x32 with 13 rounds: counter %s', (counter, key, result) => {
    const [c0, c1, c2, c3] = words(counter)
    const out = new Int32Array(6)
    threefry(Int32Array.from(words(key)), c0, c1, c2, c3, out, 1)
    expect([...out.subarray(1, 5)].map((word) => word >>> 0)).toEqual(words(result))
  })

  // Neighbours differ in a bit or two of the counter: tokens, steps and layers 0, 1, 2 …
  test('flips each bit of the result in half of all cases, whichever bit of the key or the counter is flipped', () => {
    const many = 1024
    const draws = streams('avalanche')('inputs')
    const cases = Array.from({ length: many }, () => {
      const input = Int32Array.from({ length: 8 }, (_, i) => (i < 5 ? draws.uint32() : draws.below(64)))
      return { input, result: threefryOf(input) }
    })
    const after = new Float64Array(128)
    let [chiSquare, most] = [0, 0]
    for (let bit = 0; bit < 256; bit++) {
      after.fill(0)
      for (const { input, result } of cases) {
        input[bit >> 5] ^= 1 << bit
        const other = threefryOf(input)
        input[bit >> 5] ^= 1 << bit
        for (let i = 0; i < 128; i++) after[i] += ((result[i >> 5] ^ other[i >> 5]) >>> i) & 1
      }
      for (const flips of after) {
        const deviation = (flips - many / 2) / Math.sqrt(many / 4)
        chiSquare += deviation ** 2
        most = Math.max(most, Math.abs(deviation))
      }
    }
    const pairs = 256 * 128
    expect(most).toBeLessThan(6) // one chance in 15,000 for the largest of them all
    expect(Math.abs(chiSquare - pairs)).toBeLessThan(4.5 * Math.sqrt(2 * pairs))
  })
})

/** Key and counter, four words each, to four words. */
function threefryOf(input: Int32Array): Int32Array {
  const out = new Int32Array(4)
  threefry(input.subarray(0, 4), input[4], input[5], input[6], input[7], out, 0)
  return out
}

describe('streams', () => {
  const first = (seed: string | number, name: string, layer = 0, step = 0, token = 0): number =>
    streams(seed)(name, layer, step).at(token).uint32()

  test('differ by seed, name, layer, step and token', () => {
    const draws = [
      first(1, 'a'),
      first(2, 'a'),
      first(1, 'b'),
      first(1, 'a', 1),
      first(1, 'a', 0, 1),
      first(1, 'a', 0, 0, 1),
    ]
    expect(new Set(draws).size).toBe(draws.length)
  })

  test('are the same for a number and its text, and on every machine', () => {
    expect(first(1, 'workload')).toBe(first('1', 'workload'))
    expect([first(1, 'workload'), first('run-7', 'noise', 2, 3, 4)]).toMatchInlineSnapshot(`
      [
        2451265660,
        902861833,
      ]
    `)
  })

  test('give any token on its own the numbers it has in sequence', () => {
    const draws = streams(5)('workload', 1, 2)
    const inSequence = [0, 1, 2].map((token) =>
      Array.from({ length: 9 }, (_, i) => (i === 0 ? draws.at(token) : draws).normal()),
    )
    const backwards = [2, 1, 0].map((token) => {
      const own = streams(5)('workload', 1, 2).at(token)
      return Array.from({ length: 9 }, () => own.normal())
    })
    expect(backwards.reverse()).toEqual(inSequence)
  })

  test('fill a row of any length with the normals that come one by one', () => {
    for (let length = 0; length < 12; length++) {
      const row = new Float64Array(length)
      streams(5)('noise').at(3).normals(row)
      const draws = streams(5)('noise').at(3)
      expect(row).toEqual(Float64Array.from({ length }, () => draws.normal()))
    }
  })

  test('refuse a seed that is neither text nor a finite number', () => {
    expect(() => streams(Number.NaN)).toThrow('seed must be a string or a finite number')
  })
})

describe('distributions', () => {
  const draws = streams('distributions')('test')
  const many = 200_000
  const sample = (draw: () => number): { mean: number; variance: number; fourth: number } => {
    const values = Float64Array.from({ length: many }, draw)
    const mean = values.reduce((sum, x) => sum + x, 0) / many
    const central = (power: number): number => values.reduce((sum, x) => sum + (x - mean) ** power, 0) / many
    return { mean, variance: central(2), fourth: central(4) }
  }
  const standardErrors = 4.5

  test('uniform: mean ½, variance 1/12, all in [0, 1)', () => {
    const { mean, variance } = sample(() => {
      const u = draws.uniform()
      expect(u >= 0 && u < 1).toBe(true)
      return u
    })
    expect(Math.abs(mean - 0.5)).toBeLessThan(standardErrors * Math.sqrt(1 / 12 / many))
    expect(Math.abs(variance - 1 / 12)).toBeLessThan(standardErrors * Math.sqrt(1 / 180 / many))
  })

  test('normal: mean 0, variance 1, fourth moment 3', () => {
    const { mean, variance, fourth } = sample(() => draws.normal())
    expect(Math.abs(mean)).toBeLessThan(standardErrors / Math.sqrt(many))
    expect(Math.abs(variance - 1)).toBeLessThan(standardErrors * Math.sqrt(2 / many))
    expect(Math.abs(fourth - 3)).toBeLessThan(standardErrors * Math.sqrt(96 / many))
  })

  test('normal: the tails hold what they should', () => {
    let beyond = 0
    for (let i = 0; i < many; i++) if (Math.abs(draws.normal()) > 3) beyond++
    const expected = 0.0026998 * many
    expect(Math.abs(beyond - expected)).toBeLessThan(standardErrors * Math.sqrt(expected))
  })

  test.each([0.05, 0.7, 3])('gamma of shape %d: mean and variance are the shape', (shape) => {
    const { mean, variance } = sample(() => Math.exp(logGamma(draws, shape)))
    expect(Math.abs(mean - shape)).toBeLessThan(standardErrors * Math.sqrt(shape / many))
    const fourthCumulant = 6 * shape
    expect(Math.abs(variance - shape)).toBeLessThan(
      standardErrors * Math.sqrt((fourthCumulant + 2 * shape * shape) / many),
    )
  })

  test('a categorical draw follows its weights, and never picks a weight of 0', () => {
    const weights = [0, 1, 2, 0, 5, 0]
    const counts = new Float64Array(weights.length)
    const sums = cumulative(weights)
    for (let i = 0; i < many; i++) counts[pick(draws, sums)]++
    weights.forEach((weight, i) => {
      const p = weight / 8
      expect(Math.abs(counts[i] - p * many)).toBeLessThanOrEqual(
        standardErrors * Math.sqrt(p * (1 - p) * many),
      )
    })
  })

  test('below(n) gives each number its share', () => {
    const counts = new Float64Array(6)
    for (let i = 0; i < many; i++) counts[draws.below(6)]++
    const chiSquare = counts.reduce((sum, count) => sum + (count - many / 6) ** 2 / (many / 6), 0)
    expect(chiSquare).toBeLessThan(25.7) // 5 degrees of freedom, one chance in 10,000
  })

  test('below(3 · 2³⁰) throws nothing away but what would be unfair', () => {
    const bound = 3 * 2 ** 30
    const high = Array.from({ length: 4000 }, () => draws.below(bound)).filter((n) => n >= 2 ** 31).length
    expect(Math.abs(high - 4000 / 3)).toBeLessThan(standardErrors * Math.sqrt((4000 * 2) / 9))
  })

  test('Zipf weights fall as rank^-exponent and sum to 1', () => {
    const weights = zipf(100, 1.2)
    expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 12)
    expect(weights[0] / weights[49]).toBeCloseTo(50 ** 1.2, 9)
  })

  test('a Dirichlet point lies on the simplex, however small the concentrations', () => {
    for (let i = 0; i < 200; i++) {
      const point = dirichlet(draws, [0.001, 0.001, 0.001])
      expect(point.reduce((sum, x) => sum + x, 0)).toBeCloseTo(1, 12)
    }
    const mean = new Float64Array(3)
    for (let i = 0; i < 20_000; i++)
      dirichlet(draws, [1, 2, 5]).forEach((x, part) => (mean[part] += x / 20_000))
    ;[1 / 8, 2 / 8, 5 / 8].forEach((share, part) => expect(Math.abs(mean[part] - share)).toBeLessThan(0.006))
  })

  test('a shuffle keeps what it was given, and gives every order its share', () => {
    const seen = new Map<string, number>()
    for (let i = 0; i < 24_000; i++) {
      const order = shuffle(draws, [0, 1, 2, 3]).join('')
      seen.set(order, (seen.get(order) ?? 0) + 1)
    }
    expect(seen.size).toBe(24)
    const chiSquare = [...seen.values()].reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0)
    expect(chiSquare).toBeLessThan(58.6) // 23 degrees of freedom, one chance in 20,000
  })
})

test('samplers refuse what has no distribution, instead of drawing for ever', () => {
  const draws = streams(0)('refusals')
  for (const shape of [0, -1, Number.NaN, Infinity])
    expect(() => logGamma(draws, shape)).toThrow('logGamma: shape must be a finite number above 0')
  expect(() => dirichlet(draws, [1, -1])).toThrow('logGamma: shape')
  for (const weights of [[], [0, 0], [1, Number.NaN], [Infinity]])
    expect(() => cumulative(weights)).toThrow('the sum of the weights must be a finite number above 0')
})
