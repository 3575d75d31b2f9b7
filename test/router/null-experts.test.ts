import {
  type Balance,
  type Batch,
  biasBalance,
  gaussian,
  groupwise,
  InputError,
  identityWeights,
  type JointRouting,
  jointNorm,
  loadOf,
  longcat,
  maskPadding,
  nullExperts,
  quantileBalance,
  type RouterConfig,
  realExpertsPerToken,
  route,
  sigmoid,
  simulate,
  type Workload,
} from 'moesim'
import { describe, expect, test } from 'vitest'
import { normalRows, ofLogits, run } from './run.js'

describe('nullExperts', () => {
  const router: RouterConfig = { numExperts: 6, topK: 3, scoreFunction: 'softmax', normalize: true, scale: 1 }
  const mixed = ofLogits(6, 0, Math.log(3), -9, -9, 2, -9) // experts 4 (null), 1, 0
  const allNull = ofLogits(6, -9, -9, -9, 3, 2, 1)

  test('weighs the real experts of a token as if it had chosen no others, and null experts with 0', () => {
    const { experts, weights } = run(nullExperts(router, 3), mixed)
    expect([...experts]).toEqual([4, 1, 0])
    expect([...weights].map((weight) => weight.toFixed(6))).toEqual(['0.000000', '0.750000', '0.250000'])
  })

  test('a token of null experts only has weights of 0, not NaN', () => {
    const routing = run(nullExperts(router, 3), allNull)
    expect([...routing.experts]).toEqual([3, 4, 5])
    expect([...routing.weights]).toEqual([0, 0, 0])
    expect([...realExpertsPerToken(routing, 3)]).toEqual([0])
  })

  test('selects and counts like the plain router: null experts keep slot, load and bias', () => {
    const logits = normalRows(60, 6)
    const bias = Float32Array.of(0, 0, 0, 0.1, 0, 0)
    const routing = run(nullExperts(router, 3), { tokens: 60, logits }, { bias })
    expect(routing.experts).toEqual(route(logits, router, bias).experts)
    expect(loadOf(routing).reduce((sum, count) => sum + count, 0)).toBe(180)
    const real = realExpertsPerToken(routing, 3).reduce((sum, count) => sum + count, 0)
    expect(real).toBe(
      loadOf(routing)
        .subarray(0, 3)
        .reduce((sum, count) => sum + count, 0),
    )
  })

  test('without null experts is the plain router, with softmax after top-k too', () => {
    const logits = normalRows(20, 6)
    for (const softmaxOrder of ['beforeTopK', 'afterTopK'] as const) {
      const config = { ...router, softmaxOrder }
      expect(run(nullExperts(config, 6), { tokens: 20, logits })).toEqual(route(logits, config))
    }
  })

  test('with the zero expert last is the weighing of MoE++: its weight 0, the other raised to 1', () => {
    const two = { ...router, topK: 2 }
    const routing = run(nullExperts(two, 5), ofLogits(6, 0, 2, 0, 0, 0, 1))
    expect([...routing.experts]).toEqual([1, 5])
    expect([...routing.weights]).toEqual([1, 0])
  })

  test.each([0, 7, 2.5])('refuses %d real experts of 6', (numReal) => {
    expect(() => nullExperts(router, numReal)).toThrow(InputError)
  })
})

describe('zero-computation experts', () => {
  const router = longcat({ numReal: 4, numZero: 2, topK: 3, scale: 6 })

  test.each([
    [{ numReal: 10, numZero: -2 }, 'longcat: numZero must be'],
    [{ numReal: 0, numZero: 8 }, 'longcat: numReal must be'],
    [{ numReal: 2.5, numZero: 2.5 }, 'longcat: numReal must be'],
  ])('refuse %o', (sizes, rule) => {
    expect(() => longcat({ ...sizes, topK: 3, scale: 6 })).toThrow(rule)
  })

  test('are experts like all others: softmax over all slots, bias for selection, no normalising, scale', () => {
    const logits = normalRows(40, 6)
    const bias = Float32Array.of(0.1, 0, 0, 0, -0.1, 0)
    const routing = route(logits, router, bias)
    expect(routing.numExperts).toBe(6)
    const all = route(logits, { ...router, topK: 6 })
    const sums = Array.from({ length: 40 }, (_, t) =>
      all.weights.subarray(6 * t, 6 * t + 6).reduce((a, b) => a + b, 0),
    )
    for (const sum of sums) expect(sum).toBeCloseTo(6, 4)
  })

  test('what a token computes and what its input is multiplied by, by hand', () => {
    const routing = route(Float32Array.of(0, 9, 0, 0, 8, 7, 3, 2, 1, 0, -9, -9), router)
    expect([...routing.experts]).toEqual([1, 4, 5, 0, 1, 2])
    expect([...realExpertsPerToken(routing, 4)]).toEqual([1, 3])
    const [first, second] = identityWeights(routing, 4)
    expect(first).toBeCloseTo(routing.weights[1] + routing.weights[2], 6)
    expect(second).toBe(0)
  })

  test('empty slots are neither real nor identity', () => {
    const masked = -Infinity
    const routing = route(Float32Array.of(1, masked, masked, masked, masked, masked), router)
    expect([...realExpertsPerToken(routing, 4)]).toEqual([1])
    expect([...identityWeights(routing, 4)]).toEqual([0])
  })
})

describe('jointNorm', () => {
  const router: RouterConfig = { numExperts: 4, topK: 2, scoreFunction: 'sigmoid', normalize: true, scale: 3 }

  const joint = (batch: Batch, bias = new Float32Array(4), config = router, numShared = 2): JointRouting =>
    jointNorm(config, numShared)(batch, bias)

  test('normalises the sigmoids of chosen and shared experts together: sigmoid over the sum of sigmoids', () => {
    const routing = joint(ofLogits(6, 0, 2, 1, -1, 0.5, -3))
    expect(routing).toMatchObject({ tokens: 1, topK: 2, numExperts: 4 })
    expect([...routing.experts]).toEqual([1, 2])
    const scores = [2, 1, 0.5, -3].map(sigmoid)
    const total = scores.reduce((sum, score) => sum + score, 0)
    const weights = [...routing.weights, ...routing.sharedWeights]
    weights.forEach((weight, slot) => expect(weight).toBeCloseTo((3 * scores[slot]) / total, 6))
  })

  test('selects among the routed by score + bias, and tells their scores', () => {
    const batch = ofLogits(6, 0, 2, 1, -1, 9, -9, 5, 5, 5, 5, -9, 9)
    const routing = joint(batch, Float32Array.of(2, 0, 0, 0))
    expect([...routing.experts]).toEqual([0, 1, 0, 1])
    expect([...loadOf(routing)]).toEqual([2, 2, 0, 0])
    expect([...routing.scores]).toEqual([0, 2, 1, -1, 5, 5, 5, 5].map((z) => Math.fround(sigmoid(z))))
    expect(() => joint(batch, new Float32Array(6))).toThrow('bias')
  })

  test('balances as the plain router of the routed experts does: the shared ones are in no load', () => {
    const plain = gaussian({ numExperts: 16, skew: 0.5 })
    const config = { ...router, numExperts: 16 }
    const withShared: Workload = (context) => {
      const { logits } = plain(context)
      const rows = Float32Array.from({ length: context.tokens * 18 }, (_, i) =>
        i % 18 < 16 ? logits![Math.floor(i / 18) * 16 + (i % 18)] : 0.5,
      )
      return { tokens: context.tokens, logits: rows }
    }
    for (const balance of [biasBalance({ rate: 1e-2 }), quantileBalance() as Balance<never>]) {
      const setup = { balance: balance as Balance<never>, tokensPerStep: 512, steps: 40, seed: 1 }
      const wanted = [...simulate({ ...setup, router: config, workload: plain })]
      const shared = { ...setup, router: jointNorm(config, 2), workload: withShared, numExperts: 16 }
      const reports = [...simulate(shared)]
      expect(reports.map(({ load }) => load)).toEqual(wanted.map(({ load }) => load))
      expect(reports.map(({ maxViolation }) => maxViolation)).toEqual(
        wanted.map(({ maxViolation }) => maxViolation),
      )
      expect(reports[0].maxViolation).toBeGreaterThan(1)
      expect(reports[39].maxViolation).toBeLessThan(0.4)
      expect(reports[39].expectedMaxViolation).toBe(wanted[39].expectedMaxViolation)
    }
  })

  test('gives padding no expert, shared or not', () => {
    const logits = maskPadding(new Float32Array(10), [0, 1])
    const routing = joint({ tokens: 2, logits }, undefined, router, 1)
    expect([...routing.experts]).toEqual([-1, -1, 0, 1])
    expect([...routing.sharedWeights]).toEqual([0, 1])
  })

  test('keeps its shared weights where the batch is taken apart and joined again', () => {
    const routing = joint({ tokens: 6, logits: normalRows(6, 6) })
    const seen: number[][] = []
    const joined = groupwise(routing, 3, (part) => {
      seen.push([...part.sharedWeights!])
      return part
    })
    expect(joined).toEqual({ ...routing, scores: routing.scores })
    expect(seen.flat()).toEqual([...routing.sharedWeights])
    expect(seen.map((weights) => weights.length)).toEqual([4, 4, 4])
  })

  test('keeps the groups of the routed experts', () => {
    const grouped = { ...router, numGroups: 2, topGroups: 1, groupScoreTop: 1 }
    expect([...joint(ofLogits(5, 3, 0, 2, 2, 1), undefined, grouped, 1).experts]).toEqual([0, 1])
  })

  test('refuses another score function, no normalising and no shared experts', () => {
    expect(() => jointNorm({ ...router, scoreFunction: 'softmax' }, 1)).toThrow(
      'jointNorm: the router must normalise',
    )
    expect(() => jointNorm({ ...router, normalize: false }, 1)).toThrow(
      'jointNorm: the router must normalise',
    )
    expect(() => jointNorm(router, 0)).toThrow('jointNorm: numShared')
  })
})
