import fc from 'fast-check'
import {
  type Balance,
  biasBalance,
  bipBalance,
  histogramQuantileBalance,
  loadOf,
  multiplicativeBalance,
  quantileBalance,
  type RouterConfig,
  rankPenaltyBalance,
  route,
  type Seen,
  smebuBalance,
} from 'moesim'
import { describe, expect, test } from 'vitest'
import { expectClose } from '../golden.js'

const [T, E, K] = [24, 6, 2]
const config: RouterConfig = { numExperts: E, topK: K, scoreFunction: 'sigmoid', normalize: true, scale: 1 }

// a rule with its state of any type, as the laws below need no more
const rules: [string, Balance<never>][] = Object.entries({
  sign: biasBalance({ rate: 1e-2 }),
  'sign, centred': biasBalance({ rate: 1e-2, center: true }),
  proportional: biasBalance({ rate: 1e-2, rule: 'proportional', unit: 'mean' }),
  multiplicative: multiplicativeBalance({ rate: 1e-2 }),
  smebu: smebuBalance({ rate: 1e-2 }),
  quantile: quantileBalance({ ema: 0.5 }),
  'histogram quantile': histogramQuantileBalance(),
  bip: bipBalance(),
  'rank penalty of single experts': rankPenaltyBalance({ ranks: E }),
}) as never

// Distinct and apart, so that no scores tie: ties go to the lower index, whichever expert stands there.
const logitsOf = fc
  .uniqueArray(fc.integer({ min: -3000, max: 3000 }), { minLength: T * E, maxLength: T * E })
  .map((values) => Float32Array.from(values, (value) => value / 1000))
const batches = fc.array(logitsOf, { minLength: 1, maxLength: 3 })

/** The bias after updates from batches of logits, each routed by the bias that it finds. */
function steered<State>(rule: Balance<State>, steps: readonly Float32Array[]): Float32Array {
  let state = rule.init(E)
  for (const logits of steps) {
    const routing = route(logits, config, rule.bias(state))
    const scores = logits.map((logit) => 1 / (1 + Math.exp(-logit)))
    state = rule.update(state, loadOf(routing), { routing, scores } as Seen)
  }
  return rule.bias(state)
}

describe.each(rules)('%s', (name, rule) => {
  test('does the same to the same experts, whatever order they stand in', () => {
    const order = fc.shuffledSubarray([0, 1, 2, 3, 4, 5], { minLength: E })
    fc.assert(
      fc.property(logitsOf, order, (logits, places) => {
        const permuted = logits.map((_, i) => logits[i - (i % E) + places[i % E]])
        const bias = steered(rule, [logits])
        expectClose(
          steered(rule, [permuted]),
          places.map((e) => bias[e]),
          { abs: 2e-6 },
          name,
        )
      }),
      { numRuns: 40 },
    )
  })

  test('leaves the state it was given as it was, and gives finite biases', () => {
    fc.assert(
      fc.property(batches, (steps) => {
        expect(steered(rule, steps).every(Number.isFinite)).toBe(true)
        const state = rule.init(E)
        const before = structuredClone(state)
        const routing = route(steps[0], config)
        const scores = steps[0].map((logit) => 1 / (1 + Math.exp(-logit)))
        rule.update(state, loadOf(routing), { routing, scores })
        expect(state).toEqual(before)
      }),
      { numRuns: 40 },
    )
  })
})

test.each(
  rules.filter(([name]) =>
    ['sign, centred', 'proportional', 'smebu', 'quantile', 'histogram quantile'].includes(name),
  ),
)('%s conserves the mean bias', (_, rule) => {
  fc.assert(
    fc.property(batches, (steps) => {
      expect(Math.abs(steered(rule, steps).reduce((sum, value) => sum + value, 0))).toBeLessThan(3e-6)
    }),
    { numRuns: 40 },
  )
})

test('a multiplicative bias is 1 more than the additive one that saw the same loads', () => {
  const loads = fc.array(fc.array(fc.nat(99), { minLength: E, maxLength: E }), { maxLength: 20 })
  fc.assert(
    fc.property(loads, (steps) => {
      const [one, other] = [multiplicativeBalance({ rate: 1e-2 }), biasBalance({ rate: 1e-2 })].map((rule) =>
        rule.bias(steps.reduce((state, load) => rule.update(state, Int32Array.from(load)), rule.init(E))),
      )
      expectClose(
        one,
        other.map((value) => 1 + value),
        { abs: 2e-6 },
        'bias',
      )
    }),
  )
})
