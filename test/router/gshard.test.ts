import {
  exp,
  gshardTop2,
  gshardTop2Random,
  gshardTop2Sampled,
  gumbel,
  llama4,
  type RouterConfig,
  route,
  routeAt,
  sigmoid,
  streams,
  switchTop1,
} from 'moesim'
import { describe, expect, test } from 'vitest'
import { expectClose, golden } from '../golden.js'
import { rowsOf } from '../routings.js'
import { fiveErrors, normalRows, ofLogits, run } from './run.js'

/** As many tokens with the same probabilities. */
const repeated = (tokens: number, ...probabilities: number[]) => ({
  tokens,
  logits: Float32Array.from({ length: tokens * probabilities.length }, (_, i) =>
    Math.log(probabilities[i % probabilities.length]),
  ),
})
const share = (values: boolean[]): number => values.filter(Boolean).length / values.length

describe('GShard top-2', () => {
  test('always: DeepSpeed’s top2gating without noise, on four tokens', () => {
    // DeepSpeed edaa7221, run on CPU without the second expert's noise and without a capacity that drops: the pairs.
    const logits = Float32Array.of(0.1, 0.9, 0.2, 0.8, 0.1, 0.3, 0.4, 0.6, 0.5, 0.7, 0.2, 0.1)
    const { experts, weights } = route(logits, gshardTop2(3))
    expect([...experts]).toEqual([1, 2, 0, 2, 1, 2, 0, 1])
    expectClose(
      weights.subarray(0, 4),
      [0.6681877, 0.3318122, 0.6224593, 0.3775407],
      { abs: 2e-7 },
      'weights',
    )
  })

  test('sampled: the first as always, the second in proportion to the softmax of those left', () => {
    const tokens = 10_000
    const batch = repeated(tokens, 0.5, 0.2, 0.3)
    const routing = run(gshardTop2Sampled(3), batch)
    const rows = rowsOf(routing)
    expect(rows.every(([first]) => first === 0)).toBe(true)
    const ones = share(rows.map(([, second]) => second === 1))
    expect(Math.abs(ones - 0.4)).toBeLessThan(fiveErrors(0.4, tokens))
    expect(rows.some(([, second]) => second === 2)).toBe(true)
    expect(routing).toEqual(routeAt(batch.logits, routing.experts, gshardTop2(3)))
  })

  test('sampled: the noise of a token is its own', () => {
    const draws = streams(1)('noise/sampled-second')
    const seconds = Array.from({ length: 30 }, (_, token) => {
      draws.at(token)
      const [, one, two] = [gumbel(draws), gumbel(draws), gumbel(draws)]
      return Math.log(0.2) + one > Math.log(0.3) + two ? 1 : 2
    })
    expect(
      rowsOf(run(gshardTop2Sampled(3), repeated(30, 0.5, 0.2, 0.3))).map(([, second]) => second),
    ).toEqual(seconds)
  })

  test('random: the second stays with probability 2 · g₂, and the first keeps its weight', () => {
    const tokens = 10_000
    const batch = repeated(tokens, 0.6, 0.2, 0.1, 0.1) // g₂ = 0.2 / 0.8
    const routing = run(gshardTop2Random(4), batch)
    const kept = rowsOf(routing).map(([, second]) => second === 1)
    expect(Math.abs(share(kept) - 0.5)).toBeLessThan(fiveErrors(0.5, tokens))
    routing.experts.forEach((expert, slot) => {
      if (slot % 2 === 0) expect(routing.weights[slot]).toBeCloseTo(0.75, 6)
      else expect(routing.weights[slot]).toBeCloseTo(expert < 0 ? 0 : 0.25, 6)
    })
  })

  test('random: whether a token keeps its second expert is a draw of its own', () => {
    const kept = rowsOf(run(gshardTop2Random(2), repeated(50, 0.8, 0.2))).map(([, second]) => second === 1)
    const draws = streams(1)('noise/second')
    expect(kept).toEqual(kept.map((_, token) => draws.at(token).uniform() < 0.4))
  })

  test('random: any other chance, such as the threshold of ST-MoE', () => {
    const tokens = 10_000
    const batch = repeated(tokens, 0.9, 0.1)
    const kept = rowsOf(
      run(
        gshardTop2Random(2, (_, second) => second / 0.2),
        batch,
      ),
    ).map(([, second]) => second === 1)
    expect(Math.abs(share(kept) - 0.5)).toBeLessThan(fiveErrors(0.5, tokens))
    const never = run(
      gshardTop2Random(2, () => 0),
      batch,
    )
    expect(never.experts.filter((expert) => expert >= 0)).toHaveLength(tokens)
    const always = run(
      gshardTop2Random(2, (first, second) => first + second + 1e-6),
      batch,
    )
    expect(always).toEqual(route(batch.logits, gshardTop2(2)))
  })

  test('random: by the plain probability, as NLLB-MoE has it', () => {
    const tokens = 10_000
    const batch = repeated(tokens, 0.4, 0.2, 0.15, 0.15, 0.1) // g₂ = 1/3, its softmax 0.2
    const router = gshardTop2Random(5, (_first, _second, probability) => 2 * probability)
    const kept = rowsOf(run(router, batch)).map(([, second]) => second === 1)
    expect(Math.abs(share(kept) - 0.4)).toBeLessThan(fiveErrors(0.4, tokens))
    const seen: number[] = []
    const tell = gshardTop2Random(5, (...weights) => seen.push(...weights))
    run(tell, repeated(1, 0.4, 0.2, 0.15, 0.15, 0.1))
    expectClose(seen, [2 / 3, 1 / 3, 0.2], { abs: 1e-6 }, 'what the chance is told')
  })

  test('draws for each token anew, whatever stands before it', () => {
    const logits = normalRows(20, 4)
    for (const router of [gshardTop2Sampled(4), gshardTop2Random(4)]) {
      const whole = run(router, { tokens: 20, logits })
      expect(run(router, { tokens: 20, logits })).toEqual(whole)
      expect(run(router, { tokens: 7, logits: logits.slice(0, 28) }).experts).toEqual(
        whole.experts.slice(0, 14),
      )
      expect(run(router, { tokens: 20, logits }, { step: 1 })).not.toEqual(whole)
    }
  })

  test('leaves slots empty where experts are masked', () => {
    const masked = -Infinity
    const batch = ofLogits(3, masked, 1, masked, masked, masked, masked)
    for (const router of [gshardTop2Sampled(3), gshardTop2Random(3)]) {
      expect(rowsOf(run(router, batch))).toEqual([
        [1, -1],
        [-1, -1],
      ])
      expect([...run(router, batch).weights]).toEqual([1, 0, 0, 0])
    }
  })

  test('refuses a single expert, and a batch without logits', () => {
    for (const make of [gshardTop2Sampled, gshardTop2Random]) {
      expect(() => make(1)).toThrow('router: topK must be a whole number from 1 to 1')
      expect(() => run(make(2), { tokens: 1 })).toThrow('the batch must have logits')
    }
  })
})

describe('routers that are a config', () => {
  test('switchTop1 is the best expert with its plain softmax probability', () => {
    // DeepSpeed's top1gating on four tokens: their gates before a capacity.
    const logits = Float32Array.of(0.1, 0.9, 0.2, 0.8, 0.1, 0.3, 0.4, 0.6, 0.5, 0.7, 0.2, 0.1)
    const { experts, weights } = route(logits, switchTop1(3))
    expect([...experts]).toEqual([1, 0, 1, 0])
    expectClose(weights, [0.5138972, 0.4754849, 0.3671654, 0.4639634], { abs: 2e-7 }, 'weights')
    expect(weights[0]).toBeCloseTo(exp(0.9) / (exp(0.1) + exp(0.9) + exp(0.2)), 6)
  })

  test('llama4 is the sigmoid of the best logit, as Hugging Face computes it', () => {
    const { numExperts, topK } = golden('routing-llama4').params
    const recorded = golden('routing-llama4')
    const router: RouterConfig = llama4(numExperts, topK)
    const { experts, weights } = route(recorded.floats(recorded.inputs.logits), router)
    recorded.matches('indices', experts)
    recorded.matches('weights', weights)
    const [single] = route(Float32Array.of(1, 3, 2), llama4(3)).weights
    expect(single).toBe(Math.fround(sigmoid(3)))
    expect([...route(Float32Array.of(1, 3, 2), llama4(3, 2)).experts]).toEqual([1, 2])
  })
})
