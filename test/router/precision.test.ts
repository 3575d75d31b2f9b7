import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import {
  agreement,
  decodeFloats,
  gaussian,
  InputError,
  linearRouter,
  linearRouterInPrecision,
  type Precision,
  type RouterConfig,
  rounded,
  roundedNvfp4,
  route,
  routeInPrecision,
  type SmallFormat,
  streams,
} from 'moesim'
import { describe, expect, test } from 'vitest'

const router = {
  numExperts: 128,
  topK: 6,
  scoreFunction: 'sigmoid',
  normalize: true,
  scale: 2.5,
} as const satisfies RouterConfig
const { numExperts: E, topK: K } = router
const five = new Float32Array(E).fill(5)

const logitsOf = (tokens: number, spread: number, seed: number): Float32Array =>
  gaussian({ numExperts: E, spread })({ tokens, layer: 0, step: 0, random: streams(seed) })
    .logits as Float32Array

// ── The chance that rounding changes a set, exactly, without any router ──────────────────────────────────────────────
//
// Rounding keeps order, so it changes a set only by a tie across the threshold: a experts lie in cells above, m in the
// cell of the threshold, of which K − a are taken without regard to their values. Index and value are independent, so
// whatever rule breaks the tie, the right ones are taken with chance 1 / C(m, K − a).

/** Φ(−x), the normal tail, by Simpson's rule over its density. */
function tail(x: number): number {
  if (x < 0) return 1 - tail(-x)
  const steps = 400
  const h = 12 / steps
  const density = (y: number): number => Math.exp((-y * y) / 2) / Math.sqrt(2 * Math.PI)
  let sum = 0
  for (let i = 0; i <= steps; i++) sum += density(x + i * h) * (i === 0 || i === steps ? 1 : i % 2 ? 4 : 2)
  return (sum * h) / 3
}

const logFactorials = Float64Array.from({ length: E + 1 }, () => 0)
for (let n = 1; n <= E; n++) logFactorials[n] = logFactorials[n - 1] + Math.log(n)
const choose = (n: number, k: number): number =>
  Math.exp(logFactorials[n] - logFactorials[k] - logFactorials[n - k])

/** The chance, given the bounds of the cells among standard normal logits, in ascending order. */
function chanceOfChange(bounds: readonly number[]): number {
  const tails = [1, ...bounds.map(tail), 0]
  const times = (count: number, p: number): number => (count === 0 ? 0 : count * Math.log(p)) // 0 · ln 0 = 0
  let chance = 0
  for (let cell = 0; cell + 1 < tails.length; cell++) {
    const [above, inside, below] = [tails[cell + 1], tails[cell] - tails[cell + 1], 1 - tails[cell]]
    if (inside < 1e-9) continue // two experts in it: less than 1e-14
    for (let a = 0; a < K; a++) {
      for (let m = K - a + 1; m <= E - a; m++) {
        const ways = logFactorials[E] - logFactorials[a] - logFactorials[m] - logFactorials[E - a - m]
        const log = ways + times(a, above) + times(m, inside) + times(E - a - m, below)
        if (log < -60 && m > E * inside) break // the rest is less still
        chance += Math.exp(log) * (1 - 1 / choose(m, K - a))
      }
    }
  }
  return chance
}

/** Where the rounding of a format changes value: halfway between its neighbours. */
function boundsOf(format: SmallFormat, place: (middle: number) => number): number[] {
  const codes = Uint16Array.from({ length: format.startsWith('fp8') ? 256 : 65536 }, (_, code) => code)
  const values = decodeFloats(codes, format).filter(Number.isFinite).sort()
  const bounds: number[] = []
  for (let i = 1; i < values.length; i++) bounds.push(place((values[i - 1] + values[i]) / 2))
  return bounds.filter((bound) => Math.abs(bound) < 8)
}

const logit = (p: number): number => (p > 0 && p < 1 ? Math.log(p) - Math.log1p(-p) : Number.NaN)

/** [what, row of lesson 07, precision, bias, bounds for a spread, chance at spreads 1 and 3 as published, in %]. */
const cases: [
  string,
  string,
  Precision,
  Float32Array | undefined,
  (sd: number) => number[],
  number,
  number,
][] = [
  [
    'bf16 logits',
    'bf16 logits',
    { logits: 'bf16' },
    undefined,
    (sd) => boundsOf('bf16', (x) => x / sd),
    2.5,
    2.7,
  ],
  [
    'fp8-e4m3 logits',
    'fp8 logits (e4m3)',
    { logits: 'fp8-e4m3' },
    undefined,
    (sd) => boundsOf('fp8-e4m3', (x) => x / sd),
    33,
    39,
  ],
  [
    'bf16 scores',
    'bf16 scores',
    { scores: 'bf16' },
    undefined,
    (sd) => boundsOf('bf16', (x) => logit(x) / sd),
    9.0,
    47,
  ],
  [
    'bf16 keys, bias 5',
    'bf16 scores + 5',
    { keys: 'bf16' },
    five,
    (sd) => boundsOf('bf16', (x) => logit(x - 5) / sd),
    52,
    94,
  ],
  [
    'fp16 scores',
    'fp16 scores',
    { scores: 'fp16' },
    undefined,
    (sd) => boundsOf('fp16', (x) => logit(x) / sd),
    1.2,
    8.3,
  ],
  [
    'fp16 keys, bias 5',
    'fp16 scores + 5',
    { keys: 'fp16' },
    five,
    (sd) => boundsOf('fp16', (x) => logit(x - 5) / sd),
    8.5,
    46,
  ],
]

/**
 * Two published figures are off: 2.7 % and 1.2 %, where the exact chance is 3.099 % and 1.118 %, and simulation agrees with
 * that. They are the rarest changes, published without a number of tokens: of 4096, their standard errors are 0.27 and
 * 0.16 points, so that a run of a few thousand tokens gives such figures by chance.
 */
const publishedOff = new Map([
  ['bf16 logits at 3', 0.03099],
  ['fp16 scores at 1', 0.01118],
])

/** The figures that lesson 07 prints, by the name of their row: at spread 1 and at spread 3, in %. */
const lesson = new Map(
  [
    ...readFileSync(new URL('../../examples/07-precision.ts', import.meta.url), 'utf8').matchAll(
      /^(\S.*?) {2,}([\d.]+) % +([\d.]+) %$/gm,
    ),
  ].map(([, name, one, three]) => [name, [Number(one), Number(three)]]),
)

describe.each([1, 3])('routing in less precision, logits of standard deviation %i', (sd) => {
  const tokens = 4096
  const logits = logitsOf(tokens, sd, 7)
  const exact = route(logits, router)

  test.each(cases)(
    '%s change as many sets as the law of ties says',
    (what, row, precision, bias, bounds, at1, at3) => {
      const chance = chanceOfChange(bounds(sd))
      const { differingTokenShare } = agreement(exact, routeInPrecision(logits, router, precision, bias))
      const error = Math.sqrt((chance * (1 - chance)) / tokens)
      expect(Math.abs(differingTokenShare - chance)).toBeLessThan(4 * error)
      const published = (sd === 1 ? at1 : at3) / 100
      const off = publishedOff.get(`${what} at ${sd}`)
      if (off !== undefined) expect(chance).toBeCloseTo(off, 5)
      expect(Math.abs(published - chance) <= 0.05 * chance).toBe(off === undefined)
      const printed = (lesson.get(row)?.[sd === 1 ? 0 : 1] ?? Number.NaN) / 100
      expect(Math.abs(printed - chance)).toBeLessThan(4 * Math.sqrt((chance * (1 - chance)) / 32_768) + 5e-5)
    },
  )

  test('float32 with a bias of 5 changes fewer than one set in 5000', () => {
    expect(agreement(exact, routeInPrecision(logits, router, {}, five)).differingTokenShare).toBeLessThan(
      2e-4,
    )
  })
})

test('bf16 scores and fp16 scores + 5 stand on one grid, 1/256 apart, and so change the same sets', () => {
  const logits = logitsOf(2048, 1, 11)
  const scores = routeInPrecision(logits, router, { scores: 'bf16' })
  const keys = routeInPrecision(logits, router, { keys: 'fp16' }, five)
  // Below a score of ½ bf16 is finer, but no chosen expert is there; the recorded 9.0 % and 8.5 % are one number, 8.645 %.
  expect(agreement(scores, keys).differingTokens).toBe(0)
})

describe('stations', () => {
  const configs = fc.record({
    scoreFunction: fc.constantFrom('sigmoid', 'softmax', 'sqrtsoftplus'),
    normalize: fc.boolean(),
    numGroups: fc.constantFrom(1, 4),
  } satisfies { [key in keyof RouterConfig]?: unknown })
  const batch = fc.array(fc.float({ min: -8, max: 8, noNaN: true }), { minLength: 48, maxLength: 48 })
  const biases = fc.array(fc.float({ min: -1, max: 1, noNaN: true }), { minLength: 16, maxLength: 16 })
  const full = (config: object): RouterConfig =>
    ({ numExperts: 16, topK: 3, scale: 2.5, topGroups: 1, ...config }) as RouterConfig

  test('without a format, or in fp32, the answer is that of route, bit for bit', () => {
    fc.assert(
      fc.property(configs, batch, biases, (config, values, bias) => {
        const args = [Float32Array.from(values), full(config)] as const
        const wanted = route(...args, Float32Array.from(bias))
        const fp32 = { logits: 'fp32', scores: 'fp32', keys: 'fp32', weights: 'fp32' } as const
        expect(routeInPrecision(...args, {}, Float32Array.from(bias))).toEqual(wanted)
        expect(routeInPrecision(...args, fp32, Float32Array.from(bias))).toEqual(wanted)
      }),
    )
  })

  test('rounding the logits is routing rounded logits; the caller’s stay as they are', () => {
    fc.assert(
      fc.property(configs, batch, (config, values) => {
        const logits = Float32Array.from(values)
        const inBf16 = routeInPrecision(logits, full(config), { logits: 'bf16' })
        expect(inBf16).toEqual(route(rounded(logits, 'bf16'), full(config)))
        expect([...logits]).toEqual(values)
      }),
    )
  })

  test('weights in a format are the weights, rounded', () => {
    const logits = logitsOf(64, 1, 3)
    const { weights } = route(logits, router)
    expect(routeInPrecision(logits, router, { weights: 'bf16' }).weights).toEqual(rounded(weights, 'bf16'))
  })

  const pair = { numExperts: 4, topK: 1, scoreFunction: 'sigmoid', normalize: false, scale: 1 } as const

  test('a key in bf16 beside a large bias loses the score: the lower index wins the tie', () => {
    const logits = Float32Array.of(0, 0.02, 0.01, -1)
    const bias = new Float32Array(4).fill(5)
    expect([...route(logits, pair, bias).experts]).toEqual([1])
    expect([...routeInPrecision(logits, pair, { keys: 'bf16' }, bias).experts]).toEqual([0])
  })

  test('group scores are rounded with the keys', () => {
    const grouped = {
      ...pair,
      scoreFunction: 'softmax',
      softmaxOrder: 'afterTopK',
      numGroups: 2,
      topGroups: 1,
    } as const
    const logits = Float32Array.of(1, 1, 1, 1.0078125) // sums 2 and 2.0078125, which bf16 cannot tell apart
    expect([...route(logits, grouped).experts]).toEqual([3])
    expect([...routeInPrecision(logits, grouped, { keys: 'bf16' }).experts]).toEqual([0])
  })

  test.each<Precision>([{ logits: 'fp8-e4m3' }, { scores: 'fp8-e4m3', keys: 'fp8-e4m3' }])(
    'a masked expert stays masked where a format has no ∞: %o',
    (precision) => {
      for (const softmaxOrder of ['beforeTopK', 'afterTopK'] as const) {
        const masked = { ...pair, topK: 2, scoreFunction: 'softmax', softmaxOrder } as const
        const logits = Float32Array.of(-Infinity, 1, -Infinity, -Infinity)
        expect([...routeInPrecision(logits, masked, precision).experts]).toEqual([1, -1])
      }
    },
  )

  test('a logit that overflows fp16 is refused upwards and masks its expert downwards', () => {
    const inFp16 = (logit: number) =>
      routeInPrecision(Float32Array.of(logit, 0, 0, 0), { ...pair, topK: 4 }, { logits: 'fp16' })
    expect(() => inFp16(70000)).toThrow(InputError)
    expect([...inFp16(-70000).experts]).toEqual([1, 2, 3, -1])
  })
})

describe('a matrix in less precision', () => {
  const draws = streams(5)('test').at(0)
  const normals = (length: number): Float32Array => Float32Array.from({ length }, () => draws.normal())
  const small = { ...router, numExperts: 16, topK: 2 }
  const hidden = normals(64 * 32)
  const weight = normals(16 * 32)
  const batch = { tokens: 64, hidden }
  const bias = new Float32Array(16)
  const context = { step: 0, layer: 0, tokens: 64, random: streams(1) }

  test('is the linear router of the rounded matrix, for one layer or several', () => {
    for (const weights of [weight, [weight]]) {
      const asIs = linearRouterInPrecision(small, weights, {})
      expect(asIs(batch, bias, context)).toEqual(linearRouter(small, weight)(batch, bias, context))
      const inBf16 = linearRouterInPrecision(small, weights, { matrix: 'bf16' })
      const wanted = linearRouter(small, rounded(weight, 'bf16'))
      expect(inBf16(batch, bias, context)).toEqual(wanted(batch, bias, context))
      const inNvfp4 = linearRouterInPrecision(small, weights, { matrix: 'nvfp4' })
      const stored = linearRouter(small, roundedNvfp4(weight, 32))
      expect(inNvfp4(batch, bias, context)).toEqual(stored(batch, bias, context))
    }
  })

  test('and of the stations after it', () => {
    const both = linearRouterInPrecision(small, weight, { matrix: 'fp8-e5m2', weights: 'fp8-e4m3' })
    const { weights } = linearRouter(small, rounded(weight, 'fp8-e5m2'))(batch, bias, context)
    expect(both(batch, bias, context).weights).toEqual(rounded(weights, 'fp8-e4m3'))
  })
})
