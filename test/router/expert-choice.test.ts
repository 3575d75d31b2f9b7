import fc from 'fast-check'
import {
  expertChoice,
  flaxformerCapacity,
  gaussian,
  InputError,
  loadOf,
  maskPadding,
  megatronCapacity,
  noBalance,
  type RoutingSizes,
  simulate,
} from 'moesim'
import { describe, expect, test } from 'vitest'
import { golden } from '../golden.js'
import { chosen } from '../routings.js'
import { denseWeights, routeBy } from './run.js'

/** Two experts a token on average. */
const flaxformer = (sizes: RoutingSizes): number => flaxformerCapacity(sizes, { factor: 2 })

describe('expert choice', () => {
  test.each(['expert-choice-one-group', 'expert-choice-two-groups-padded'])('reproduces %s', (name) => {
    const { params, inputs, expected, floats, ints, matches } = golden(name)
    const factor = params.capacityFactor as number
    expect(flaxformerCapacity({ tokens: 32, numExperts: 8, topK: 1 }, { factor })).toBe(expected.capacity)
    const logits = floats(inputs.logits)
    const padded = inputs.validMask === undefined ? logits : maskPadding(logits, ints(inputs.validMask))
    const routing = routeBy(
      expertChoice({
        numExperts: 8,
        capacity: (sizes) => flaxformerCapacity(sizes, { factor }),
        tokensPerGroup: 32,
      }),
      padded,
      8,
    )
    const weights = denseWeights(routing)
    matches('combineWeights', weights)
    matches(
      'expertsPerToken',
      chosen(routing).map((experts) => experts.length),
    )
    // The tokens of each group and expert, best first.
    const tokens = Array.from({ length: routing.tokens / 32 }, (_, group) =>
      Array.from({ length: 8 }, (_, e) =>
        Array.from({ length: 32 }, (_, token) => token)
          .filter((token) => weights[(group * 32 + token) * 8 + e] > 0)
          .sort((a, b) => weights[(group * 32 + b) * 8 + e] - weights[(group * 32 + a) * 8 + e]),
      ),
    )
    matches('chosenTokens', tokens.flat(2))
  })

  test('gives every expert its capacity of every group, best weight of a token first', () => {
    const cases = fc.integer({ min: 1, max: 6 }).chain((numExperts) =>
      fc.record({
        numExperts: fc.constant(numExperts),
        capacity: fc.integer({ min: 1, max: 9 }),
        tokensPerGroup: fc.integer({ min: 1, max: 7 }),
        logits: fc
          .array(fc.integer({ min: -20, max: 20 }), { maxLength: 60 })
          .map((values) => Float32Array.from(values.slice(0, values.length - (values.length % numExperts)))),
      }),
    )
    fc.assert(
      fc.property(cases, ({ numExperts, capacity, tokensPerGroup, logits }) => {
        const routing = routeBy(expertChoice({ numExperts, capacity, tokensPerGroup }), logits, numExperts)
        const { tokens, topK, weights } = routing
        const rest = tokens % tokensPerGroup
        const taken =
          Math.floor(tokens / tokensPerGroup) * Math.min(capacity, tokensPerGroup) + Math.min(capacity, rest)
        expect([...loadOf(routing)]).toEqual(new Array(numExperts).fill(taken))
        for (let slot = 1; slot < weights.length; slot++) {
          if (slot % topK > 0) expect(weights[slot]).toBeLessThanOrEqual(weights[slot - 1])
        }
      }),
    )
  })

  test('is a router for a simulation like any other, and its load is always in balance', () => {
    const reports = simulate({
      router: expertChoice({ numExperts: 8, capacity: flaxformer }),
      balance: noBalance,
      workload: gaussian({ numExperts: 8, skew: 2 }),
      tokensPerStep: 64,
      steps: 2,
    })
    for (const { load, maxViolation } of reports) {
      expect([...load]).toEqual(new Array(8).fill(16))
      expect(maxViolation).toBe(0)
    }
  })

  test('asks a rule for the capacity of each group, K being 1, as the rules of capacity are asked', () => {
    const asked: RoutingSizes[] = []
    const router = expertChoice({
      numExperts: 2,
      tokensPerGroup: 3,
      capacity: (sizes) => {
        asked.push(sizes)
        return megatronCapacity(sizes, { factor: 1 })
      },
    })
    expect([...loadOf(routeBy(router, new Float32Array(10), 2))]).toEqual([3, 3])
    expect(asked).toEqual([
      { tokens: 3, topK: 1, numExperts: 2 },
      { tokens: 2, topK: 1, numExperts: 2 },
    ])
  })

  test('takes the earlier of tokens that want an expert equally, and a capacity above the tokens takes all', () => {
    expect(chosen(routeBy(expertChoice({ numExperts: 2, capacity: 1 }), new Float32Array(6), 2))).toEqual([
      [0, 1],
      [],
      [],
    ])
    const all = routeBy(expertChoice({ numExperts: 2, capacity: 99 }), Float32Array.of(0, 1, 1, 0), 2)
    expect(chosen(all)).toEqual([
      [1, 0],
      [0, 1],
    ])
  })

  test('never takes padding, nor an expert masked by −∞, even with room left', () => {
    const logits = maskPadding(Float32Array.of(0, 0, 0, 0, 0, -Infinity), [1, 0, 1])
    const routing = routeBy(expertChoice({ numExperts: 2, capacity: 3 }), logits, 2)
    expect(chosen(routing)).toEqual([[0, 1], [], [0]])
    expect([...routing.weights]).toEqual([0.5, 0.5, 0, 0, 1, 0])
  })

  test('routes no token', () => {
    const { experts, topK } = routeBy(expertChoice({ numExperts: 2, capacity: 1 }), new Float32Array(0), 2)
    expect([experts.length, topK]).toEqual([0, 1])
    expect(maskPadding(new Float32Array(0), [])).toHaveLength(0)
  })

  test.each([
    ['a capacity of 0', { numExperts: 2, capacity: 0 }, 'expertChoice: capacity must be a whole number'],
    ['no expert', { numExperts: 0, capacity: 1 }, 'expertChoice: numExperts must be'],
    [
      'an empty group',
      { numExperts: 2, capacity: 1, tokensPerGroup: 0 },
      'expertChoice: tokensPerGroup must be',
    ],
  ])('refuses %s before any batch', (_, options, rule) => {
    expect(() => expertChoice(options)).toThrow(InputError)
    expect(() => expertChoice(options)).toThrow(rule)
  })

  test('refuses a rule that gives half a token, NaN, and a mask of another length', () => {
    const half = expertChoice({ numExperts: 2, capacity: ({ tokens }) => tokens / 4 })
    expect(() => routeBy(half, new Float32Array(4), 2)).toThrow('expertChoice: capacity must be')
    const one = expertChoice({ numExperts: 2, capacity: 1 })
    expect(() => routeBy(one, Float32Array.of(0, 0, 0, Number.NaN), 2)).toThrow(
      'expertChoice: the logit of token 1 for expert 1',
    )
    expect(() => maskPadding(new Float32Array(4), [1, 1, 1])).toThrow(
      'maskPadding: logits must hold a row for each of 3 tokens',
    )
  })
})
