import fc from 'fast-check'
import {
  type Balance,
  biasedLogitRouter,
  gaussian,
  loadOf,
  type QuantileState,
  quantileBalance,
  type RouterConfig,
  type Routing,
  type Seen,
  simulate,
  streams,
  type Workload,
} from 'moesim'
import { describe, expect, test } from 'vitest'
import { expectClose, golden } from '../golden.js'

const afterTopK = (numExperts: number, topK: number): RouterConfig => ({
  numExperts,
  topK,
  scoreFunction: 'softmax',
  softmaxOrder: 'afterTopK',
  normalize: false,
  scale: 1,
})
const context = { step: 0, layer: 0, tokens: 0, random: streams(0) }

/** Logits routed by β, as the rule is shown them. */
function routed(
  logits: Float32Array,
  config: RouterConfig,
  beta: ArrayLike<number>,
): Seen & { routing: Routing } {
  const tokens = logits.length / config.numExperts
  const bias = Float32Array.from(beta, (value) => -value)
  const routing = biasedLogitRouter(config)({ tokens, logits }, bias, context)
  return { routing, scores: routing.scores! }
}

const betaAfter = (seen: Seen, rule: Balance<QuantileState> = quantileBalance()): Float32Array =>
  rule.update(rule.init(seen.routing.numExperts), loadOf(seen.routing), seen).beta

describe('quantile balancing as Megatron-LM computes it', () => {
  test.each(['quantile-single', 'quantile-ema-two-microbatches'])(
    '%s: every load and every β of 5 steps, in a simulation',
    (name) => {
      const recorded = golden(name)
      const { numExperts, topK, tokens, steps, microBatchesPerStep, ema } = recorded.params as Record<
        string,
        number
      >
      const logits = recorded.floats(recorded.inputs.logits)
      const size = tokens * numExperts
      const batches = steps * microBatchesPerStep
      const workload: Workload = ({ step }) => {
        const from = Math.min(step, batches - 1) * size // the batch after the last only shows the last bias
        return { tokens, logits: logits.subarray(from, from + size) }
      }
      const reports = [
        ...simulate({
          router: biasedLogitRouter(afterTopK(numExperts, topK)),
          balance: quantileBalance({ ema }),
          workload,
          tokensPerStep: tokens,
          updateEvery: microBatchesPerStep,
          steps: batches + 1,
        }),
      ]
      recorded.matches(
        'loads',
        reports.slice(0, batches).flatMap(({ load }) => [...load]),
      )
      const after = reports.filter(({ step }) => step > 0 && step % microBatchesPerStep === 0)
      recorded.matches(
        'betaAfterStep',
        after.flatMap(({ bias }) => Array.from(bias, (value) => -value)),
      )
      const { experts, weights } = reports[batches - 1].routings[0]
      const dense = new Float32Array(size)
      experts.forEach((expert, slot) => {
        dense[Math.floor(slot / topK) * numExperts + expert] = weights[slot]
      })
      recorded.matches('denseWeightsLastMicroBatch', dense)
      // β of each micro-batch on its own, less its mean
      const local = recorded.floats(recorded.expected.betaLocal)
      for (let batch = 0; batch < batches; batch++) {
        const wanted = local.slice(batch * numExperts, (batch + 1) * numExperts)
        const mean = wanted.reduce((sum, value) => sum + value, 0) / numExperts
        const { bias, routings } = reports[batch]
        const rule = quantileBalance()
        const state = { beta: bias.map((value) => -value) }
        const { beta } = rule.update(state, new Int32Array(), {
          routing: routings[0],
          scores: routings[0].scores!,
        })
        expectClose(
          beta,
          wanted.map((value) => value - mean),
          { abs: 2e-6 },
          `β of micro-batch ${batch}`,
        )
      }
    },
  )

  test('balances the small vector in one update, up to a tie', () => {
    const logits = Float32Array.of(
      ...[1.0, -0.5, 0.3, 2.0, -1.2, 0.7, 0.0, 0.9],
      ...[-0.3, 0.8, 1.5, -0.7, 0.4, 1.1, 0.2, -1.0],
      ...[0.6, 0.1, -0.9, 1.3, 1.8, -0.2, 0.5, -0.4],
      ...[2.2, 1.9, 0.0, -0.6, 0.3, 0.8, -1.1, 1.4],
    )
    const config = afterTopK(8, 2)
    const first = routed(logits, config, new Float32Array(8))
    expect([...first.routing.experts]).toEqual([3, 0, 2, 5, 4, 3, 0, 1])
    const beta = betaAfter(first)
    expectClose(beta, [0.225, 0.125, -0.475, 0.825, -0.275, -0.075, -0.475, 0.125], { abs: 2e-7 }, 'β')
    const next = routed(logits, config, beta)
    // 1 − 0.225 = 0.9 − 0.125: token 0 may as well go to expert 7, as recorded, which gives every expert exactly one.
    expect(Math.abs(logits[0] - beta[0] - (logits[7] - beta[7]))).toBeLessThan(1e-7)
    expect([...next.routing.experts].map((expert, slot) => (slot === 1 ? 7 : expert))).toEqual([
      3, 7, 2, 5, 4, 6, 0, 1,
    ])
  })
})

/** The definition by sorting, in the rule's float32 steps. */
function sorted(scores: Float32Array, beta: Float32Array, topK: number): number[] {
  const numExperts = beta.length
  const tokens = scores.length / numExperts
  const descending = (values: number[]): number[] => values.sort((a, b) => b - a)
  const rows = Array.from({ length: tokens }, (_, t) => [
    ...scores.subarray(t * numExperts, (t + 1) * numExperts),
  ])
  const alpha = rows.map((row) => descending(row.map((s, e) => Math.fround(s - beta[e])))[topK])
  const local = Array.from(
    beta,
    (_, e) =>
      descending(rows.map((row, t) => Math.fround(row[e] - alpha[t])))[
        Math.floor((tokens * topK) / numExperts)
      ],
  )
  const mean = local.reduce((sum, value) => sum + value, 0) / numExperts
  return local.map((value) => value - mean)
}

describe('the quantile', () => {
  test('is the (T·K / E + 1)-th largest margin of each expert, whatever T, K, E and β', () => {
    const cases = fc
      .record({ tokens: fc.integer({ min: 1, max: 40 }), numExperts: fc.integer({ min: 2, max: 9 }) })
      .chain(({ tokens, numExperts }) =>
        fc.record({
          topK: fc.integer({ min: 1, max: numExperts - 1 }),
          // few distinct values, so that ties are common
          scores: fc.array(fc.integer({ min: -12, max: 12 }), {
            minLength: tokens * numExperts,
            maxLength: tokens * numExperts,
          }),
          beta: fc.array(fc.integer({ min: -3, max: 3 }), { minLength: numExperts, maxLength: numExperts }),
        }),
      )
    fc.assert(
      fc.property(cases, ({ topK, scores, beta }) => {
        const logits = Float32Array.from(scores, (value) => value / 4)
        const start = Float32Array.from(beta, (value) => value / 4)
        const seen = routed(logits, afterTopK(beta.length, topK), start)
        const rule = quantileBalance()
        const next = rule.update({ beta: start }, loadOf(seen.routing), seen)
        expectClose(next.beta, sorted(logits, start, topK), { abs: 1e-6 }, 'β')
        expect(Math.abs(next.beta.reduce((sum, value) => sum + value, 0))).toBeLessThan(1e-5)
      }),
      { numRuns: 300 },
    )
  })

  test('follows the experts in whatever order they stand', () => {
    const logits = gaussian({ numExperts: 6, skew: 1 })({ ...context, tokens: 48 }).logits!
    const order = [3, 0, 5, 1, 4, 2]
    const permuted = logits.map((_, i) => logits[i - (i % 6) + order[i % 6]])
    const beta = betaAfter(routed(logits, afterTopK(6, 2), new Float32Array(6)))
    const other = betaAfter(routed(permuted, afterTopK(6, 2), new Float32Array(6)))
    expectClose(
      other,
      order.map((e) => beta[e]),
      { abs: 1e-6 },
      'β',
    )
  })

  test('of masked experts goes by the tokens that may choose them', () => {
    const logits = gaussian({ numExperts: 4 })({ ...context, tokens: 400 }).logits!
    for (let token = 0; token < 200; token++) logits[token * 4 + 2] = Number.NEGATIVE_INFINITY
    const rule = quantileBalance()
    let state = rule.init(4)
    for (let i = 0; i < 20; i++) {
      const seen = routed(logits, afterTopK(4, 1), state.beta)
      state = rule.update(state, loadOf(seen.routing), seen)
    }
    for (const count of loadOf(routed(logits, afterTopK(4, 1), state.beta).routing)) {
      expect(Math.abs(count - 100)).toBeLessThanOrEqual(2)
    }
    expect(state.beta[2]).toBeLessThan(Math.min(state.beta[0], state.beta[1], state.beta[3]))
  })
})

describe('in a simulation', () => {
  const setup = {
    balance: quantileBalance(),
    workload: gaussian({ numExperts: 16, skew: 0.5 }),
    tokensPerStep: 1024,
    seed: 1,
  }
  const sigmoid: RouterConfig = {
    numExperts: 16,
    topK: 2,
    scoreFunction: 'sigmoid',
    normalize: true,
    scale: 1,
  }

  test('one update brings scores or logits from far off to near chance', () => {
    for (const router of [sigmoid, biasedLogitRouter(afterTopK(16, 2))]) {
      const [first, ...rest] = simulate({ ...setup, router, steps: 21 })
      expect(first.maxViolation).toBeGreaterThan(1)
      const mean = rest.reduce((sum, { maxViolation }) => sum + maxViolation, 0) / 20
      // β carries the chance of the batch that set it, which comes on top of the next batch's own.
      expect(mean / first.expectedMaxViolation).toBeGreaterThan(1.1)
      expect(mean / first.expectedMaxViolation).toBeLessThan(1.6)
    }
  })

  test('a memory of 0.9 averages the chance of many batches away', () => {
    const late = (ema: number): number => {
      const balance = quantileBalance({ ema })
      const reports = [...simulate({ ...setup, balance, router: sigmoid, steps: 160 })].slice(60)
      const mean = reports.reduce((sum, { maxViolation }) => sum + maxViolation, 0) / reports.length
      return mean / reports[0].expectedMaxViolation
    }
    expect(late(0)).toBeGreaterThan(1.2)
    expect(late(0.9)).toBeLessThan(1.12)
  })
})

describe('refusals', () => {
  const seen = routed(new Float32Array(12), afterTopK(3, 1), new Float32Array(3))
  const update = (shown?: Seen): unknown => {
    const rule = quantileBalance()
    return rule.update(rule.init(3), new Int32Array(3), shown)
  }

  test.each([-0.1, 1, Number.NaN])('an ema of %d', (ema) => {
    expect(() => quantileBalance({ ema })).toThrow('quantileBalance: ema must be in [0, 1)')
  })

  test('no scores, or not those of the routing', () => {
    expect(() => update()).toThrow('quantileBalance: the router must tell the scores')
    expect(() => update({ ...seen, scores: new Float32Array(3) })).toThrow(
      'scores must hold 4 tokens × 3 experts',
    )
  })

  test('every expert for every token', () => {
    const routing = { ...seen.routing, topK: 3 }
    expect(() => update({ ...seen, routing })).toThrow('topK must be below numExperts = 3')
  })

  test('an expert that too few tokens may choose, and one that too many must', () => {
    const closed = new Float32Array(12)
    for (let token = 0; token < 3; token++) closed[token * 3] = Number.NEGATIVE_INFINITY
    expect(() => update(routed(closed, afterTopK(3, 1), new Float32Array(3)))).toThrow(
      /free to choose expert 0 or to leave it, got .*a quantile of -Infinity/,
    )
    const forced = new Float32Array(12).fill(Number.NEGATIVE_INFINITY)
    for (let token = 0; token < 4; token++) forced[token * 3] = 0
    expect(() => update(routed(forced, afterTopK(3, 1), new Float32Array(3)))).toThrow(
      'a quantile of Infinity',
    )
  })
})
