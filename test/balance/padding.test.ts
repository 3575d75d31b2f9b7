import {
  type Balance,
  biasBalance,
  biasedLogitRouter,
  bipBalance,
  bipRouter,
  gaussian,
  histogramQuantileBalance,
  loadOf,
  maskPadding,
  quantileBalance,
  type Router,
  type RouterConfig,
  type StepReport,
  simulate,
  streams,
  type Workload,
} from 'moesim'
import { describe, expect, test } from 'vitest'

const router: RouterConfig = { numExperts: 16, topK: 2, scoreFunction: 'sigmoid', normalize: true, scale: 1 }
const tokens = gaussian({ numExperts: 16, skew: 0.5 })

/** A quarter of real tokens, each behind three rows of padding. */
const padded: Workload = (context) => {
  const { logits } = tokens({ ...context, tokens: context.tokens / 4 })
  const spread = new Float32Array(context.tokens * 16)
  for (let token = 0; token < context.tokens / 4; token++)
    spread.set(logits!.subarray(token * 16, (token + 1) * 16), (4 * token + 3) * 16)
  const valid = Array.from({ length: context.tokens }, (_, token) => (token % 4 === 3 ? 1 : 0))
  return { tokens: context.tokens, logits: maskPadding(spread, valid) }
}

const reportsOf = <State>(
  balance: Balance<State>,
  road: Router | RouterConfig,
  workload: Workload,
  tokensPerStep: number,
): StepReport[] => [
  ...simulate({ router: road, balance, workload, tokensPerStep, steps: 12, seed: 3, updateEvery: 2 }),
]

const rules: [string, Balance<never>, Router | RouterConfig][] = [
  ['biasBalance', biasBalance({ rate: 1e-2 }), router],
  ['quantileBalance', quantileBalance({ ema: 0.5 }), router],
  ['quantileBalance of logits', quantileBalance(), biasedLogitRouter(router)],
  ['histogramQuantileBalance', histogramQuantileBalance(), router],
  ['bipBalance', bipBalance(), router],
  ['bipBalance with bipRouter', bipBalance(), bipRouter(router)],
].map(([name, balance, road]) => [name as string, balance as Balance<never>, road as Router | RouterConfig])

describe('padding, rows of −∞ logits', () => {
  test.each(rules)('does not count for %s: the bias is that of the batch without it', (_, balance, road) => {
    const without = reportsOf(balance, road, tokens, 256)
    const within = reportsOf(balance, road, padded, 1024)
    expect(within.map(({ bias }) => [...bias])).toEqual(without.map(({ bias }) => [...bias]))
    expect(within.map(({ load }) => [...load])).toEqual(without.map(({ load }) => [...load]))
  })

  test.each(rules)('and nothing else leaves the state of %s as it is', (_, balance, road) => {
    const route = typeof road === 'function' ? road : biasedLogitRouter(road)
    const bias = Float32Array.from({ length: 16 }, (_, e) => (e + 1) / -64)
    for (const count of [0, 5]) {
      const logits = new Float32Array(count * 16).fill(Number.NEGATIVE_INFINITY)
      const context = { step: 0, layer: 0, tokens: count, random: streams(0) }
      const routing = route({ tokens: count, logits }, bias, context)
      const state = { bias, beta: bias.map((b) => -b), prices: bias.map((b) => -b), updates: 0 } as never
      const next = balance.update(state, loadOf(routing), { routing, scores: routing.scores! })
      expect(balance.bias(next)).toEqual(bias)
    }
  })
})
