import {
  gaussian,
  histogramQuantileBalance,
  loadOf,
  type RouterConfig,
  route,
  type Seen,
  simulate,
  streams,
} from 'moesim'
import { describe, expect, test } from 'vitest'
import { expectClose } from '../golden.js'

/** `tokens` identical tokens of given scores in each part, top-1, as a rule is shown them. */
function seenOf(tokens: number, ...parts: number[][]): Seen {
  const scores = Float32Array.from(parts.flatMap((row) => Array.from({ length: tokens }, () => row).flat()))
  const routing = {
    tokens: tokens * parts.length,
    topK: 1,
    numExperts: parts[0].length,
    experts: new Int32Array(tokens * parts.length),
    weights: new Float32Array(tokens * parts.length),
    dropped: 0,
  }
  return { routing, scores }
}

const biasAfter = (seen: Seen, bins?: number): Float32Array => {
  const rule = histogramQuantileBalance(bins === undefined ? {} : { bins })
  return rule.bias(rule.update(rule.init(seen.routing.numExperts), loadOf(seen.routing), seen))
}

describe('the histogram quantile', () => {
  // torchtitan's own test: 4 experts, top-1, 10 bins, 4 identical tokens on each of two ranks, bias 0
  const [layer0, layer1] = [
    [
      [0.92, 0.68, 0.31, 0.07],
      [0.07, 0.31, 0.92, 0.68],
    ],
    [
      [0.68, 0.92, 0.07, 0.31],
      [0.31, 0.07, 0.68, 0.92],
    ],
  ]
  test.each([
    ['layer 0, rank 0', [layer0[0]], [-0.5, -0.1, 0.1, 0.5]],
    ['layer 0, rank 1', [layer0[1]], [0.5, 0.1, -0.5, -0.1]],
    ['layer 1, rank 0', [layer1[0]], [-0.1, -0.5, 0.5, 0.1]],
    ['layer 1, rank 1', [layer1[1]], [0.1, 0.5, -0.1, -0.5]],
    ['layer 0, both ranks', layer0, [-0.2, 0.2, -0.2, 0.2]],
    ['layer 1, both ranks', layer1, [0.2, -0.2, 0.2, -0.2]],
  ])('agrees with torchtitan’s own test: %s', (_, parts, wanted) => {
    expectClose(biasAfter(seenOf(4, ...parts), 10), wanted, { abs: 1e-7 }, 'bias')
  })

  const router: RouterConfig = {
    numExperts: 16,
    topK: 2,
    scoreFunction: 'sigmoid',
    normalize: true,
    scale: 1,
  }
  const setup = {
    router,
    balance: histogramQuantileBalance(),
    workload: gaussian({ numExperts: 16, skew: 0.5 }),
    tokensPerStep: 1024,
    seed: 1,
  }

  test('replaces the bias at once by one near balance, whose mean is 0', () => {
    const [first, ...rest] = simulate({ ...setup, steps: 11 })
    expect(first.maxViolation).toBeGreaterThan(1)
    for (const { maxViolation, biasMean, expectedMaxViolation } of rest) {
      expect(maxViolation).toBeLessThan(3.5 * expectedMaxViolation)
      expect(Math.abs(biasMean[0])).toBeLessThan(1e-7)
    }
  })

  test('sums micro-batches before it reads the quantile', () => {
    const halves = [...simulate({ ...setup, updateEvery: 2, steps: 3 })]
    const scores = halves.slice(0, 2).map(({ routings }) => routings[0].scores!)
    const joined = Float32Array.from([...scores[0], ...scores[1]])
    const routing = { ...halves[0].routings[0], tokens: 2048 }
    expect(biasAfter({ routing, scores: joined })).toEqual(halves[2].bias)
  })

  test('puts a token’s masked experts last, at any number of bins', () => {
    const logits = gaussian({ numExperts: 16 })({ step: 0, layer: 0, tokens: 512, random: streams(0) })
      .logits!
    for (let token = 0; token < 256; token++) logits[token * 16] = Number.NEGATIVE_INFINITY
    const rule = histogramQuantileBalance()
    let state = rule.init(16)
    for (let i = 0; i < 20; i++) {
      const routing = route(logits, router, rule.bias(state))
      const scores = logits.map((logit) =>
        logit === Number.NEGATIVE_INFINITY ? logit : 1 / (1 + Math.exp(-logit)),
      )
      state = rule.update(state, loadOf(routing), { routing, scores })
    }
    const load = loadOf(route(logits, router, rule.bias(state)))
    expect(Math.abs(load[0] - 64)).toBeLessThanOrEqual(6)
    expect(state.bias[0]).toBeGreaterThan(0.05)
    const narrow = Float32Array.of(0.5, 0.6, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY)
    expect(biasAfter(seenOf(4, [...narrow]), 3)).toHaveLength(4)
  })
})

describe('refusals', () => {
  test.each([0, 1.5, Number.NaN])('%d bins', (bins) => {
    expect(() => histogramQuantileBalance({ bins })).toThrow(
      'histogramQuantileBalance: bins must be a whole number',
    )
  })

  test.each([
    [undefined, 'the router must tell the scores'],
    [seenOf(1, [0.5, 1.5]), 'scores must be from 0 to 1'],
    [seenOf(1, [0.5, -0.5]), 'scores must be from 0 to 1'],
    [{ ...seenOf(1, [0.5]) }, 'topK must be below numExperts = 1'],
  ])('%o', (seen, message) => {
    const rule = histogramQuantileBalance()
    expect(() => rule.update(rule.init(2), new Int32Array(2), seen)).toThrow(message)
  })
})
