import {
  bipBalance,
  bipRouter,
  gaussian,
  loadOf,
  noBalance,
  type RouterConfig,
  simulate,
  streams,
} from 'moesim'
import { describe, expect, test } from 'vitest'

const [T, E, K] = [512, 16, 2]
const config: RouterConfig = { numExperts: E, topK: K, scoreFunction: 'softmax', normalize: true, scale: 1 }
const context = { step: 0, layer: 0, tokens: T, random: streams(1) }
const workload = gaussian({ numExperts: E, skew: 0.5 })
const batch = workload(context)
const zeros = new Float32Array(E)
const share = (T * K) / E

/** The batch routed from prices of 0 by so many sweeps, and the prices they came to. */
function solved(iterations: number) {
  const routing = bipRouter(config, { iterations })(batch, zeros, context)
  const rule = bipBalance({ iterations })
  const { prices } = rule.update(rule.init(E), loadOf(routing), { routing, scores: routing.scores! })
  return { routing, scores: routing.scores!, load: loadOf(routing), prices }
}

/** K Σ p + T·K / E Σ q + Σ max(0, s − p − q), with p the best for the given q. */
function dual(scores: Float32Array, prices: Float32Array): number {
  let value = prices.reduce((sum, q) => sum + share * q, 0)
  for (let token = 0; token < T; token++) {
    const gains = Array.from(prices, (q, e) => scores[token * E + e] - q)
    const p = Math.max(0, gains.slice().sort((a, b) => b - a)[K])
    value += K * p + gains.reduce((sum, gain) => sum + Math.max(0, gain - p), 0)
  }
  return value
}

describe('the duals', () => {
  test('never get worse by a sweep: each is exact for the other given', () => {
    const { scores } = solved(1)
    const values = [dual(scores, zeros), ...[1, 2, 3, 4, 6, 8, 12].map((n) => dual(scores, solved(n).prices))]
    for (let i = 1; i < values.length; i++) expect(values[i]).toBeLessThanOrEqual(values[i - 1] * (1 + 1e-7))
    expect(values.at(-1)!).toBeLessThan(0.99 * values[0])
  })

  test('close in on what a balanced assignment is worth, which they bound', () => {
    const { scores, routing, prices } = solved(12)
    const filled = new Int32Array(E)
    let worth = 0 // of the routing, cut to what each expert may take
    routing.experts.forEach((expert, slot) => {
      if (++filled[expert] <= share) worth += scores[Math.floor(slot / K) * E + expert]
    })
    expect(worth).toBeLessThan(dual(scores, prices))
    expect(worth).toBeGreaterThan(0.98 * dual(scores, prices))
  })

  test('are complementary to the load: a place costs something only where all are taken', () => {
    const { prices, load } = solved(12)
    expect(Math.min(...prices)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...prices)).toBeGreaterThan(0.05)
    prices.forEach((price, e) => {
      if (price > 1e-3) expect(load[e]).toBeGreaterThan(0.9 * share)
      expect(load[e]).toBeLessThan(1.1 * share)
    })
  })
})

describe('the router', () => {
  test('is balanced from the first step on, the better the more sweeps', () => {
    const violation = (iterations: number): number => Math.max(...solved(iterations).load) / share - 1
    const free = Math.max(...loadOf(bipRouter(config)(batch, zeros, context)))
    expect(free).toBe(Math.max(...solved(4).load)) // 4 sweeps unless given
    expect(violation(1)).toBeLessThan(0.5)
    expect(violation(4)).toBeLessThan(0.25)
    expect(violation(14)).toBeLessThan(0.08)
  })

  test('goes on from the prices of the last batch, as the rule carries them', () => {
    const setup = { router: bipRouter(config, { iterations: 2 }), workload, tokensPerStep: T, steps: 4 }
    const carried = [...simulate({ ...setup, balance: bipBalance({ iterations: 2 }) })]
    const afresh = [...simulate({ ...setup, balance: noBalance })]
    expect(carried[0].load).toEqual(afresh[0].load)
    for (const i of [1, 2, 3]) expect(carried[i].maxViolation).toBeLessThan(0.8 * afresh[i].maxViolation)
    expect(carried[3].maxViolation).toBeLessThan(0.6 * carried[3].expectedMaxViolation)
  })

  test('loses the balance when carried prices have crept up until cutoffs are cut off at 0; afresh it does not', () => {
    const router = bipRouter(config)
    const sharp = gaussian({ numExperts: E, skew: 0.5, spread: 3 })
    const setup = { router, workload: sharp, tokensPerStep: T, steps: 30 }
    const carried = [...simulate({ ...setup, balance: bipBalance() })].slice(10)
    const afresh = [...simulate({ ...setup, balance: noBalance })].slice(10)
    expect(Math.min(...carried.map(({ maxViolation }) => maxViolation))).toBeGreaterThan(0.5)
    expect(Math.max(...afresh.map(({ maxViolation }) => maxViolation))).toBeLessThan(0.15)
  })

  test('weighs by scores alone, and solves on the logits for softmax after top-k', () => {
    const { routing, scores } = solved(4)
    for (let token = 0; token < 20; token++) {
      const slots = [...routing.experts.slice(token * K, (token + 1) * K)]
      const chosen = slots.map((expert) => scores[token * E + expert])
      expect(routing.weights[token * K]).toBeCloseTo(chosen[0] / (chosen[0] + chosen[1]), 6)
    }
    const after = bipRouter({ ...config, softmaxOrder: 'afterTopK' }, { iterations: 14 })(
      batch,
      zeros,
      context,
    )
    expect(Math.max(...loadOf(after))).toBeLessThan(1.1 * share)
    expect(after.scores).toEqual(batch.logits)
  })

  test('prices nothing where every token goes to every expert', () => {
    const all = bipRouter({ ...config, topK: E })(batch, zeros, context)
    expect([...loadOf(all)]).toEqual(new Array(E).fill(T))
    expect(all.experts[0]).toBe(
      batch.logits!.subarray(0, E).indexOf(Math.max(...batch.logits!.subarray(0, E))),
    )
  })

  test('sends no token to an expert masked for it, nor counts it among those that want a place', () => {
    const logits = batch.logits!.slice()
    for (let token = 0; token < T; token += 2) logits[token * E + E - 1] = Number.NEGATIVE_INFINITY
    const routing = bipRouter(config, { iterations: 14 })({ tokens: T, logits }, zeros, context)
    routing.experts.forEach((expert, slot) => {
      if (expert === E - 1) expect(Math.floor(slot / K) % 2).toBe(1)
    })
    expect(Math.max(...loadOf(routing))).toBeLessThan(1.1 * share)
  })
})

describe('the rule with another router', () => {
  test('has its prices one batch late, and is near balance from the second step on', () => {
    const [first, ...rest] = simulate({
      router: config,
      balance: bipBalance(),
      workload,
      tokensPerStep: 2048,
      steps: 8,
    })
    expect(first.maxViolation).toBeGreaterThan(1)
    for (const { maxViolation, bias } of rest) {
      expect(maxViolation).toBeLessThan(0.4)
      expect(Math.max(...bias)).toBeLessThanOrEqual(0) // prices are subtracted
    }
  })
})

describe('refusals', () => {
  test.each([0, 1.5, Number.NaN])('%d iterations', (iterations) => {
    expect(() => bipRouter(config, { iterations })).toThrow('bipRouter: iterations must be a whole number')
    expect(() => bipBalance({ iterations })).toThrow('bipBalance: iterations must be a whole number')
  })

  test('no logits, a bias that does not fit, no scores', () => {
    expect(() => bipRouter(config)({ tokens: 1 }, zeros, context)).toThrow(
      'bipRouter: the batch must have logits',
    )
    expect(() => bipRouter(config)(batch, new Float32Array(3), context)).toThrow('bipRouter: bias must be')
    const rule = bipBalance()
    expect(() => rule.update(rule.init(E), new Int32Array(E))).toThrow('bipBalance: the router must tell')
  })
})
