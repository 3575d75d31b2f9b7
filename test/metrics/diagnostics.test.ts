import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import {
  agreement,
  agreementOfLayers,
  asRouter,
  coActivation,
  coActivationShares,
  companions,
  domainSpecialization,
  expectedSetChanges,
  expertUsage,
  fairOverlap,
  fractionLeftBehind,
  gaussian,
  loadByDomain,
  loadOf,
  locality,
  padToCapacity,
  type RouterConfig,
  type Routing,
  readTrace,
  realExpertsPerToken,
  route,
  routerConfidence,
  routerSaturation,
  shuffle,
  sparsityOf,
  streams,
  vocabularySpecialization,
} from 'moesim'
import { describe, expect, test } from 'vitest'
import { chosen, routingOf, routings } from '../routings.js'

const random = streams('diagnostics')
const config = (numExperts: number, topK: number) =>
  ({ numExperts, topK, scoreFunction: 'softmax', normalize: true, scale: 1 }) satisfies RouterConfig
const logitsOf = (numExperts: number, tokens: number, step = 0): Float32Array =>
  gaussian({ numExperts })({ tokens, layer: 0, step, random }).logits as Float32Array

describe('fair overlap', () => {
  // Percentages of P(first repeats), P(any shared), E[overlap], co-activation.
  test.each([
    ['Mixtral', 8, 2, 12.5, 46.4, 25, 14.3],
    ['OLMoE', 64, 8, 1.56, 67.9, 12.5, 11.1],
    ['Nemotron 3 Nano', 128, 6, 0.78, 25.5, 4.69, 3.94],
    ['Qwen3', 128, 8, 0.78, 41.2, 6.25, 5.51],
    ['DeepSeek-V3', 256, 8, 0.39, 22.7, 3.13, 2.75],
  ])('of %s', (_, numExperts, topK, first, any, kept, both) => {
    const figures = fairOverlap({ numExperts, topK })
    const digits = (percent: number): number => (String(percent).split('.')[1] ?? '').length
    for (const [actual, wanted] of [
      [figures.firstRepeats, first],
      [figures.anyShared, any],
      [figures.kept, kept],
      [figures.coActivation, both],
    ]) {
      expect(Math.abs(100 * actual - wanted)).toBeLessThanOrEqual(0.5001 * 10 ** -digits(wanted))
    }
    expect(figures.pairShare).toBeCloseTo((topK * (topK - 1)) / (numExperts * (numExperts - 1)), 12)
  })

  test('is what independent tokens show', () => {
    const [E, K, tokens] = [16, 4, 20_000]
    const routing = route(logitsOf(E, tokens), config(E, K))
    const fair = fairOverlap({ numExperts: E, topK: K })
    const seen = locality(routing, new Int32Array(tokens))
    const within = (actual: number, p: number): void =>
      expect(Math.abs(actual - p)).toBeLessThan(5 * Math.sqrt((p * (1 - p)) / tokens))
    within(seen.firstRepeats, fair.firstRepeats)
    within(seen.anyShared, fair.anyShared)
    within(seen.kept, fair.kept)
    within(seen.keptByChance, fair.kept)
    within(companions(coActivation(routing), E, tokens).pairShare, fair.pairShare)
  })

  test('at the ends: one expert, and all of them', () => {
    expect(fairOverlap({ numExperts: 1, topK: 1 })).toEqual({
      firstRepeats: 1,
      anyShared: 1,
      kept: 1,
      coActivation: 0,
      pairShare: 0,
    })
    expect(fairOverlap({ numExperts: 5, topK: 5 })).toMatchObject({ anyShared: 1, kept: 1, coActivation: 1 })
    expect(() => fairOverlap({ numExperts: 4, topK: 5 })).toThrow('cannot choose more experts')
  })
})

describe('router saturation', () => {
  const early = routingOf(8, [
    [0, 1, 2],
    [3, 4, 5],
    [6, -1, -1],
  ])
  const final = routingOf(8, [
    [1, 0, 7],
    [3, 4, 5],
    [-1, 6, -1],
  ])

  test('by hand, of all experts and of the first alone', () => {
    expect(routerSaturation(early, final)).toBeCloseTo((2 + 3 + 1) / 9, 12)
    expect(routerSaturation(early, final, 1)).toBeCloseTo(1 / 3, 12)
    expect(routerSaturation(routingOf(8, []), routingOf(8, []))).toBe(0)
  })

  test('is 1 − the share of differing slots where every slot is filled', () => {
    const [a, b] = [0, 1].map((step) => route(logitsOf(12, 200, step), config(12, 3)))
    expect(routerSaturation(a, b)).toBeCloseTo(1 - agreement(b, a).differingSlotShare, 12)
  })

  // OLMoE, 64 experts of which 8 are chosen: 12.5 % and 1.6 % at random.
  test('of unrelated routers is K / E, and 1 / E of the first', () => {
    const [a, b] = [2, 3].map((step) => route(logitsOf(64, 8000, step), config(64, 8)))
    expect(routerSaturation(a, b)).toBeCloseTo(8 / 64, 2)
    expect(Math.abs(routerSaturation(a, b, 1) - 1 / 64)).toBeLessThan(5 * Math.sqrt(1 / 64 / 8000))
  })

  test('is refused for routings of other tokens, or more slots than there are', () => {
    expect(() => routerSaturation(routingOf(8, [[0]]), final)).toThrow('the same 3 tokens to 8 experts')
    expect(() => routerSaturation({ ...early, numExperts: 9 }, final)).toThrow('3 tokens, 9 experts')
    expect(() => routerSaturation(early, final, 4)).toThrow('from 1 to 3')
  })
})

describe('co-activation', () => {
  test('counts every pair of a token, not only neighbours in rank', () => {
    // Experts 0 and 2 are always chosen together and never next to one another: a count of neighbours says 0.
    const shares = coActivationShares(
      coActivation(
        routingOf(4, [
          [0, 1, 2],
          [0, 3, 2],
          [2, 1, 0],
        ]),
      ),
      4,
    )
    expect([...shares.subarray(0, 4)]).toEqual([1, 2 / 3, 1, 1 / 3])
    expect(shares[1 * 4 + 0]).toBe(1) // N₁₀ / N₁, not N₁₀ / N₀
  })

  test('each row sums to K where every slot is filled, and is 0 for an unused expert', () => {
    const routing = route(logitsOf(12, 60), config(12, 3))
    const shares = coActivationShares(coActivation(routing), 12)
    loadOf(routing).forEach((count, e) => {
      const row = shares.subarray(e * 12, (e + 1) * 12).reduce((sum, share) => sum + share, 0)
      expect(row).toBeCloseTo(count > 0 ? 3 : 0, 9)
    })
    expect([...coActivationShares(coActivation(routingOf(2, [[0]])), 2)]).toEqual([1, 0, 0, 0])
  })
})

describe('specialisation', () => {
  test('of domains is the share of their tokens: rows sum to the mean number of experts', () => {
    const routing = routingOf(3, [
      [0, 1],
      [0, 2],
      [1, 2],
      [1, -1],
    ])
    const domains = Int32Array.of(0, 0, 1, 1)
    const load = loadByDomain(routing, domains, 3)
    const shares = domainSpecialization(load, domains, 3)
    expect([...shares]).toEqual([1, 0.5, 0.5, 0, 1, 0.5, 0, 0, 0])
  })

  const routing = routingOf(4, [[3], [3], [1], [2], [-1], [0], [2]])
  const tokenIds = Int32Array.of(7, 7, 7, 2, 9, 2, 7)

  test('of the vocabulary, by hand', () => {
    const { mean, words } = vocabularySpecialization(routing, tokenIds, 2)
    expect(words).toEqual([
      { tokenId: 2, count: 2, expert: 0, share: 1 / 2 }, // the lower of two equals
      { tokenId: 7, count: 4, expert: 3, share: 2 / 4 },
    ])
    expect(mean).toBeCloseTo((1 / 2 + 2 / 4 + 0) / 3, 12) // the id 9 found no expert
    expect(vocabularySpecialization(routing, tokenIds).words).toEqual([]) // none occurs ten times
    expect(vocabularySpecialization(routing, tokenIds, 1).words[2]).toMatchObject({ tokenId: 9, expert: -1 })
    expect(vocabularySpecialization(routingOf(4, []), new Int32Array(0)).mean).toBe(0)
    expect(() => vocabularySpecialization(routing, new Int32Array(3))).toThrow('one for each of 7 tokens')
  })

  test('an expert that follows from the id makes it 1', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 9 }), { minLength: 1, maxLength: 50 }), (ids) => {
        const byId = routingOf(
          10,
          ids.map((id) => [(id * 3) % 10]),
        )
        expect(vocabularySpecialization(byId, Int32Array.from(ids)).mean).toBe(1)
      }),
    )
  })
})

describe('dispatch', () => {
  const routing = routingOf(
    4,
    [
      [0, 1],
      [2, -1],
      [-1, -1],
    ],
    [
      [0.75, 0.25],
      [0.5, 0],
      [0, 0],
    ],
  )

  test('by hand: tokens left behind are not dropped assignments', () => {
    expect(fractionLeftBehind(routing)).toBeCloseTo(1 / 3, 12) // half of the six slots are empty
    expect(routerConfidence(routing)).toBeCloseTo(1.5 / 3, 12)
    expect(expertUsage(routing, 2)).toBe(3 / 8)
  })

  test.each([4, -2])('a load loses no assignment: expert %d of 4 is refused', (odd) => {
    expect(() => loadOf(routingOf(4, [[0], [odd]]))).toThrow(
      `loadOf: experts must be from 0 to 3, or −1, each once a token, got ${odd}. Number the routed experts from 0.`,
    )
  })

  test('fillers are no experts of their tokens', () => {
    const kept = route(logitsOf(8, 12), config(8, 1))
    const padded = padToCapacity(kept, 8)
    expect(padded.topK).toBeGreaterThan(1)
    const figures = (routing: Routing): unknown => [
      sparsityOf(routing),
      expertUsage(routing, 2),
      routerConfidence(routing),
      fractionLeftBehind(routing),
      locality(routing, new Int32Array(12)),
      coActivation(routing),
      realExpertsPerToken(routing, 5),
    ]
    expect(figures(padded)).toEqual(figures(kept))
  })

  // 1 − dispatched / tokens, as flaxformer has it unless it is told to ignore padding.
  test('padding is left behind, whether the routing tells its scores or not', () => {
    const logits = logitsOf(8, 12)
    logits.fill(Number.NEGATIVE_INFINITY, 6 * 8)
    const told = asRouter(config(8, 2))({ tokens: 12, logits }, new Float32Array(8), {
      step: 0,
      layer: 0,
      tokens: 12,
      random,
    })
    expect(told.scores).toBeDefined()
    expect([route(logits, config(8, 2)), told].map(fractionLeftBehind)).toEqual([0.5, 0.5])
  })

  test('of nothing', () => {
    const none = routingOf(4, [])
    expect([fractionLeftBehind(none), routerConfidence(none), expertUsage(none, 2)]).toEqual([0, 0, 0])
  })

  test('counts what the load counts', () => {
    fc.assert(
      fc.property(routings, (any) => {
        const load = loadOf(any).reduce((sum, count) => sum + count, 0)
        expect(expertUsage(any, 5)).toBeCloseTo(load / (5 * any.numExperts), 12)
        const empty = chosen(any).filter((row) => row.length === 0).length
        expect(fractionLeftBehind(any)).toBeCloseTo(empty / Math.max(1, any.tokens), 12)
      }),
    )
  })
})

describe('agreement of layers', () => {
  const layer = (...rows: number[][]): Routing => routingOf(8, rows)
  const a = [layer([0, 1], [2, 3], [4, 5]), layer([0, 1], [2, 3], [4, 5])]

  test('counts routers, slots, and tokens touched at any layer', () => {
    const b = [layer([1, 0], [2, 3], [4, 6]), layer([0, 1], [2, -1], [5, 7])]
    expect(agreementOfLayers(a, b)).toEqual({
      differingRouterShare: 3 / 6,
      differingSlotShare: 3 / 12,
      touchedTokenShare: 2 / 3, // the last token differs at both layers, the first at none
    })
  })

  test('of a run with itself is none; of one layer it is agreement', () => {
    fc.assert(
      fc.property(routings, fc.integer({ min: 1, max: 4 }), (one, layers) => {
        const run = Array.from({ length: layers }, () => one)
        const none = { differingRouterShare: 0, differingSlotShare: 0, touchedTokenShare: 0 }
        expect(agreementOfLayers(run, run)).toEqual(none)
      }),
    )
    const [x, y] = [4, 5].map((step) => route(logitsOf(6, 100, step), config(6, 2)))
    const { differingTokenShare, differingSlotShare } = agreement(x, y)
    expect(agreementOfLayers([x], [y])).toEqual({
      differingRouterShare: differingTokenShare,
      differingSlotShare,
      touchedTokenShare: differingTokenShare,
    })
  })

  // R3's 10 % of routers, were they independent over 48 layers: 1 − 0.9⁴⁸ = 99.4 % of tokens. It reports 94 %.
  test('of independent layers touches 1 − (1 − p)ᴸ of the tokens', () => {
    const [tokens, layers] = [2000, 8]
    const noise = random('noise', 1).at(0)
    const runs = Array.from({ length: layers }, (_, step) => {
      const logits = logitsOf(16, tokens, 10 + step)
      return [logits, logits.map((logit) => logit + 0.03 * noise.normal())].map((each) =>
        route(each, config(16, 2)),
      )
    })
    const { differingRouterShare: p, touchedTokenShare } = agreementOfLayers(
      runs.map(([clean]) => clean),
      runs.map(([, noisy]) => noisy),
    )
    expect(p).toBeGreaterThan(0.02)
    const wanted = 1 - (1 - p) ** layers
    expect(Math.abs(touchedTokenShare - wanted)).toBeLessThan(4 * Math.sqrt((wanted * (1 - wanted)) / tokens))
  })

  test('is refused for other layers or tokens', () => {
    expect(() => agreementOfLayers(a, [a[0]])).toThrow('the same layers, at least one, here 2, got 1')
    expect(() => agreementOfLayers([], [])).toThrow('Give one routing a layer')
    const short = [a[0], layer([0, 1])]
    expect(() => agreementOfLayers(short, short)).toThrow('the same 3 tokens')
  })
})

describe('the noise law', () => {
  test('has 12.5, 15.7 and 18.0 experts around the threshold per unit of logit', () => {
    const around = (numExperts: number, topK: number): number =>
      expectedSetChanges({ numExperts, topK }, Math.sqrt(Math.PI))
    expect(around(128, 6)).toBeCloseTo(12.5, 1)
    expect(around(128, 8)).toBeCloseTo(15.7, 1)
    expect(around(256, 8)).toBeCloseTo(18.0, 1)
    expect(expectedSetChanges({ numExperts: 128, topK: 8 }, 0.011)).toBeCloseTo(0.1, 2)
  })

  test.each([
    [128, 6, 0.002],
    [64, 8, 0.004],
  ])('is what noise does to the sets of %i experts, %i chosen', (numExperts, topK, noise) => {
    const tokens = 16_384
    const clean = logitsOf(numExperts, tokens, 30)
    const draws = random('noise', 2).at(0)
    const noisy = clean.map((logit) => logit + noise * draws.normal())
    const of = (logits: Float32Array): Routing => route(logits, config(numExperts, topK))
    const { differingTokenShare } = agreement(of(clean), of(noisy))
    const expected = expectedSetChanges({ numExperts, topK }, noise)
    expect(Math.abs(differingTokenShare - expected)).toBeLessThan(
      4 * Math.sqrt(expected / tokens) + expected / 50,
    )
  })

  test('is refused where nothing can change', () => {
    expect(() => expectedSetChanges({ numExperts: 8, topK: 8 }, 0.1)).toThrow('between 0 and 8')
    expect(() => expectedSetChanges({ numExperts: 8, topK: 0 }, 0.1)).toThrow('between 0 and 8')
    for (const odd of [-1, Number.NaN])
      expect(() => expectedSetChanges({ numExperts: 8, topK: 2 }, odd)).toThrow('noise must be at least 0')
  })
})

describe('of a trained model', () => {
  const trace = readTrace(readFileSync(new URL('../../examples/data/trace.safetensors', import.meta.url)))
  const { numExperts, topK } = trace.router
  const recorded = trace.layers.map(
    ({ experts, weights }): Routing => ({
      tokens: trace.tokens,
      numExperts,
      topK,
      experts,
      weights,
      dropped: 0,
    }),
  )

  test('neighbours share more experts than independent tokens would, in every layer', () => {
    for (const routing of recorded) {
      const seen = locality(routing, trace.sequences)
      expect(seen.kept).toBeGreaterThan(1.2 * seen.keptByChance)
      expect(seen.anyShared).toBeGreaterThan(fairOverlap({ numExperts, topK }).anyShared)
    }
  })

  test('a byte tells more of its first expert than a shuffled one', () => {
    const shuffled = shuffle(random('shuffle').at(0), trace.tokenIds.slice())
    for (const routing of recorded) {
      const own = vocabularySpecialization(routing, trace.tokenIds)
      expect(own.mean).toBeGreaterThan(1.2 * vocabularySpecialization(routing, shuffled).mean)
      expect(own.words.every(({ count, share }) => count >= 10 && share > 0 && share <= 1)).toBe(true)
    }
  })
})
