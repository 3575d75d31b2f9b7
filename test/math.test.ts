import { Decimal } from 'decimal.js'
import { exp, log, log1p, normalQuantile, sigmoid, sinCosTurns, softplus, tanh } from 'moesim'
import { describe, expect, test } from 'vitest'

const Precise = Decimal.clone({ precision: 45 })
const one = new Precise(1)
const turn = Precise.acos(-1).times(2)

/** A float as the exact number it is; decimal.js itself would read the shortest decimal that rounds to it. */
function exact(x: number): Decimal {
  let power = 0
  let whole = x
  while (!Number.isInteger(whole)) {
    whole *= 2
    power++
  }
  return new Precise(BigInt(whole).toString()).div(new Precise(2).pow(power))
}

/** The spacing of floats at x. */
function spacing(x: number): number {
  const [float, words] = [Float64Array.of(Math.abs(x)), new Uint32Array(2)]
  words.set(new Uint32Array(float.buffer))
  const exponent = Math.max(1, (words[1] >>> 20) & 0x7ff)
  return exponent > 52 ? 2 ** (exponent - 1075) : 2 ** -1074 * 2 ** (exponent - 1)
}

function ulps(got: number, wanted: Decimal): number {
  return exact(got)
    .minus(wanted)
    .abs()
    .div(exact(spacing(wanted.toNumber())))
    .toNumber()
}

const turned = new Float64Array(2)
const sinTurns = (u: number): number => {
  sinCosTurns(u, turned)
  return turned[0]
}
const cosTurns = (u: number): number => {
  sinCosTurns(u, turned)
  return turned[1]
}

/** n points from a to b, each a little off the even grid, always the same ones. */
const sweep = (from: number, to: number, n: number): number[] =>
  Array.from({ length: n }, (_, i) => from + ((to - from) * (i + ((i * 0.618034) % 1))) / n)

const powersOf = (base: number, from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, i) => base ** (from + i))

type Case = [name: string, f: (x: number) => number, reference: (x: Decimal) => Decimal, points: number[]]
const cases: Case[] = [
  [
    'exp',
    exp,
    (x) => x.exp(),
    [...sweep(-1, 1, 1500), ...sweep(-745, 709.7, 1500), ...sweep(-745.1, -707, 300)],
  ],
  [
    'log',
    log,
    (x) => x.ln(),
    [
      ...sweep(0.01, 3, 1500),
      ...sweep(0.99, 1.01, 600),
      ...powersOf(1.7, -1400, 1300),
      ...sweep(1e-323, 1e-308, 50),
    ],
  ],
  [
    'log1p',
    log1p,
    (x) => x.plus(1).ln(),
    [...sweep(-0.9, 3, 1200), ...sweep(-1e-3, 1e-3, 600), ...powersOf(3, -60, 60)],
  ],
  [
    'sigmoid',
    sigmoid,
    (x) => one.div(x.neg().exp().plus(1)),
    [...sweep(-8, 8, 2500), ...sweep(-60, 45, 1500), ...sweep(-745, 0, 300), ...sweep(-37.5, -36.5, 300)],
  ],
  ['softplus', softplus, (x) => x.exp().plus(1).ln(), [...sweep(-4, 4, 1500), ...sweep(-45, 45, 800)]],
  [
    'tanh',
    tanh,
    (x) => one.minus(new Precise(2).div(x.times(2).exp().plus(1))),
    [...sweep(-1, 1, 1500), ...sweep(-22, 22, 500), ...sweep(0.5, 0.6, 300)],
  ],
  [
    'sinTurns',
    sinTurns,
    (u) => u.times(turn).sin(),
    [...sweep(0.001, 0.499, 900), ...sweep(0.501, 0.999, 900)],
  ],
  ['cosTurns', cosTurns, (u) => u.times(turn).cos(), [...sweep(0, 0.249, 700), ...sweep(0.251, 0.749, 700)]],
]

describe('elementary functions', () => {
  test.each(cases)('%s lies within 2 ulp of the exact value', (_name, f, reference, points) => {
    let worst = { ulps: 0, at: Number.NaN }
    for (const x of points) {
      const off = ulps(f(x), reference(exact(x)))
      if (!(off <= worst.ulps)) worst = { ulps: off, at: x }
    }
    expect(worst.ulps, `at ${worst.at}`).toBeLessThanOrEqual(2)
  })

  test('the normal quantile inverts the normal distribution to 1e-15, and is antisymmetric', () => {
    /** Φ(z) = ½ + φ(z) (z + z³/3 + z⁵/15 + …). */
    const distribution = (z: Decimal): Decimal => {
      let term = z
      let sum = z
      for (let odd = 3; term.abs().gt(1e-40); odd += 2) {
        term = term.times(z).times(z).div(odd)
        sum = sum.plus(term)
      }
      return density(z).times(sum).plus(0.5)
    }
    const density = (z: Decimal): Decimal => z.times(z).div(-2).exp().div(turn.sqrt())
    for (const p of [...sweep(0.001, 0.999, 120), ...powersOf(0.1, 3, 18)]) {
      const z = exact(normalQuantile(p))
      const off = distribution(z).minus(exact(p)).div(density(z)).abs().toNumber()
      expect(off / Math.max(1e-3, Math.abs(z.toNumber())), `at ${p}`).toBeLessThan(1e-15)
    }
    for (const p of powersOf(0.5, 2, 50)) expect(normalQuantile(1 - p)).toBe(-normalQuantile(p))
    expect(normalQuantile(0.5)).toBe(0)
  })

  test('at the ends of their ranges', () => {
    const inf = Infinity
    expect([exp(-inf), exp(-746), exp(710), exp(inf), exp(Number.NaN)]).toEqual([0, 0, inf, inf, Number.NaN])
    expect([exp(0), exp(-0), exp(709.78)]).toEqual([1, 1, expect.closeTo(1.7928e308, -304)])
    expect([log(0), log(-0), log(1), log(inf), log(-1), log(Number.NaN)]).toEqual([
      -inf,
      -inf,
      0,
      inf,
      Number.NaN,
      Number.NaN,
    ])
    expect(log(Number.MAX_VALUE)).toBeCloseTo(709.782712893384, 12)
    expect([log1p(-1), log1p(1e-300), log1p(inf), log1p(-2)]).toEqual([-inf, 1e-300, inf, Number.NaN])
    expect([sigmoid(-inf), sigmoid(0), sigmoid(inf)]).toEqual([0, 0.5, 1])
    expect([softplus(-inf), softplus(inf), softplus(1e300)]).toEqual([0, inf, 1e300])
    expect([tanh(-inf), tanh(0), tanh(inf)]).toEqual([-1, 0, 1])
    expect([0, 0.25, 0.5, 0.75, 1].map(sinTurns).map(Math.abs)).toEqual([0, 1, 0, 1, 0])
    expect([0, 0.25, 0.5, 0.75, 1].map(cosTurns).map((x) => x + 0)).toEqual([1, 0, -1, 0, 1])
  })

  test('sigmoid in float32 never falls as its argument rises: a threshold on scores is one on logits', () => {
    const step = Float32Array.of(0)
    const bits = new Int32Array(step.buffer)
    for (const from of [-104, -88, -37.0001, -36.9999, -17.33, -1.7331, -0.3466, 0.3465, 1.03, 16.6, 17.4]) {
      step[0] = from
      let before = 0
      for (let i = 0; i < 3000; i++) {
        const score = Math.fround(sigmoid(step[0]))
        expect(score >= before).toBe(true)
        before = score
        bits[0] += from < 0 ? -1 : 1
      }
    }
  })

  test.each<[string, (x: number) => number, number, number]>([
    ['exp', exp, -750, 710],
    ['log', log, 1e-9, 50],
    ['sigmoid', sigmoid, -50, 50],
    ['softplus', softplus, -50, 50],
    ['tanh', tanh, -3, 3],
    ['sinTurns', sinTurns, 0, 1],
    ['cosTurns', cosTurns, 0, 1],
    ['normalQuantile', normalQuantile, 1e-6, 1 - 1e-6],
  ])('%s gives the same bits in every engine', (_name, f, from, to) => {
    const values = Float64Array.from({ length: 4096 }, (_, i) => f(from + ((to - from) * (i + 0.5)) / 4096))
    let hash = 0x811c9dc5
    for (const byte of new Uint8Array(values.buffer)) hash = Math.imul(hash ^ byte, 0x01000193)
    expect(hash >>> 0).toMatchSnapshot()
  })
})
