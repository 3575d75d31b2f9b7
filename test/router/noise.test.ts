import {
  additiveJitter,
  asRouter,
  type Batch,
  gumbel,
  gumbelNoise,
  InputError,
  jitter,
  linearRouter,
  logitNoise,
  onHidden,
  onLogits,
  onSelection,
  type RouterConfig,
  type RowStep,
  route,
  routeAt,
  softcap,
  standardizeLogits,
  streams,
  switchTop1,
  tanh,
} from 'moesim'
import { describe, expect, test } from 'vitest'
import { fiveErrors, normalRows, ofLogits, run, sharesOf } from './run.js'

const router: RouterConfig = { numExperts: 4, topK: 2, scoreFunction: 'softmax', normalize: true, scale: 1 }
const context = { step: 0, layer: 0, tokens: 0, random: streams(1) }
const masked = Number.NEGATIVE_INFINITY
const mean = (values: Float32Array): number => values.reduce((sum, value) => sum + value, 0) / values.length
const deviation = (values: Float32Array): number => {
  const centre = mean(values)
  return Math.sqrt(mean(values.map((value) => (value - centre) ** 2)))
}

describe('steps that draw', () => {
  const ones = new Float32Array(40_000).fill(1)

  test('jitter multiplies by U[1 − ε, 1 + ε]', () => {
    const changed = jitter(0.1)(ones, 4, context)
    expect(Math.min(...changed.subarray(0, 4000))).toBeGreaterThanOrEqual(Math.fround(0.9))
    expect(Math.max(...changed.subarray(0, 4000))).toBeLessThanOrEqual(Math.fround(1.1))
    expect(mean(changed)).toBeCloseTo(1, 2)
    expect(deviation(changed)).toBeCloseTo(0.1 / Math.sqrt(3), 3)
    expect(jitter(0)(ones, 4, context)).toEqual(ones)
  })

  test('additiveJitter adds U[1 − ε, 1 + ε]', () => {
    const changed = additiveJitter(0.1)(ones, 4, context)
    expect(Math.min(...changed.subarray(0, 4000))).toBeGreaterThanOrEqual(Math.fround(1.9))
    expect(Math.max(...changed.subarray(0, 4000))).toBeLessThanOrEqual(Math.fround(2.1))
    expect(mean(changed)).toBeCloseTo(2, 2)
    expect(deviation(changed)).toBeCloseTo(0.1 / Math.sqrt(3), 3)
    expect(additiveJitter(0)(ones, 4, context)).toEqual(ones.map(() => 2))
    expect(() => additiveJitter(1.1)).toThrow('additiveJitter: epsilon must be from 0 to 1')
  })

  test('logitNoise adds N(0, 1) · σ / E', () => {
    const changed = logitNoise(2)(ones, 4, context)
    expect(Math.abs(mean(changed) - 1)).toBeLessThan((5 * 0.5) / 200)
    expect(deviation(changed)).toBeCloseTo(0.5, 2)
    expect(logitNoise(0)(ones, 4, context)).toEqual(ones)
  })

  test('gumbel draws have mean 0.5772 (Euler) and variance π² / 6', () => {
    const draws = streams(5)('test')
    const values = Float32Array.from({ length: 40_000 }, () => gumbel(draws))
    expect(Math.abs(mean(values) - 0.5772157)).toBeLessThan((5 * Math.PI) / Math.sqrt(6 * 40_000))
    expect(deviation(values) ** 2).toBeCloseTo(Math.PI ** 2 / 6, 1)
  })

  test.each([
    ['jitter', jitter(0.5)],
    ['additiveJitter', additiveJitter(0.5)],
    ['logitNoise', logitNoise(3)],
    ['gumbelNoise', gumbelNoise()],
  ] satisfies [string, RowStep][])(
    '%s gives each token numbers of its own, and leaves what it is given',
    (_, step) => {
      const rows = Float32Array.of(1, 2, 3, 4, 5, 6)
      const whole = step(rows, 2, context)
      expect([...rows]).toEqual([1, 2, 3, 4, 5, 6])
      expect(step(rows, 2, context)).toEqual(whole)
      expect(step(rows.subarray(0, 2), 2, context)).toEqual(whole.slice(0, 2))
      const wider = step(new Float32Array(12).fill(3), 4, { ...context })
      const narrow = step(new Float32Array(6).fill(3), 2, { ...context })
      expect(wider[4] > 3).toBe(narrow[2] > 3) // the first draw of token 1, however many token 0 has made
      expect(step(rows, 2, { ...context, step: 1 })).not.toEqual(whole)
      expect(step(rows, 2, { ...context, layer: 1 })).not.toEqual(whole)
      expect(step(new Float32Array(0), 0, context)).toEqual(new Float32Array(0))
      expect(step(Float32Array.of(masked, 1), 2, context)[0]).toBe(masked)
    },
  )

  test('different kinds of noise do not use the same numbers', () => {
    const gumbels = gumbelNoise()(ones, 4, context)
    const normals = logitNoise(4)(ones, 4, context)
    const centre = mean(gumbels)
    const correlation = mean(gumbels.map((value, i) => (value - centre) * ((normals[i] - 1) ** 2 - 1)))
    expect(Math.abs(correlation)).toBeLessThan(0.05)
    const added = additiveJitter(1)(ones, 4, context)
    const product = jitter(1)(ones, 4, context).map((factor, i) => 3 * (factor - 1) * (added[i] - 2))
    expect(Math.abs(mean(product))).toBeLessThan(0.05)
  })

  test('refuse what is no size of noise', () => {
    for (const bad of [-0.1, 1.5, Number.NaN]) expect(() => jitter(bad)).toThrow(InputError)
    for (const bad of [-1, Infinity, Number.NaN]) expect(() => logitNoise(bad)).toThrow(InputError)
  })
})

describe('steps without chance', () => {
  test('softcap is cap · tanh(z / cap); masked experts stay masked', () => {
    const capped = softcap(5)(Float32Array.of(0, 1, -100, masked), 4, context)
    expect([...capped]).toEqual([0, Math.fround(5 * tanh(0.2)), -5, masked])
    for (const bad of [0, -1, Infinity, Number.NaN]) expect(() => softcap(bad)).toThrow(InputError)
  })

  test('standardizeLogits gives each token mean 0 and deviation λ', () => {
    const changed = standardizeLogits(3)(normalRows(50, 16), 16, context)
    for (let row = 0; row < changed.length; row += 16) {
      expect(mean(changed.subarray(row, row + 16))).toBeCloseTo(0, 5)
      expect(deviation(changed.subarray(row, row + 16))).toBeCloseTo(3, 5)
    }
    for (const bad of [0, -1, Infinity, Number.NaN]) expect(() => standardizeLogits(bad)).toThrow(InputError)
  })

  test('standardizeLogits by hand: 1, 3 and a masked expert; equal logits; nothing but masked ones', () => {
    const rows = Float32Array.of(1, 3, masked, 7, 7, 7, masked, masked, masked)
    expect([...standardizeLogits()(rows, 3, context)]).toEqual([
      -1,
      1,
      masked,
      0,
      0,
      0,
      masked,
      masked,
      masked,
    ])
  })
})

describe('where a step goes', () => {
  const double: RowStep = (rows) => rows.map((value) => 2 * value)
  const negate: RowStep = (rows) => rows.map((value) => -value)
  const addOne: RowStep = (rows) => rows.map((value) => value + 1)
  const batch = ofLogits(4, 3, 1, 0, -2)

  test('onLogits: to selection and weights, in the order given', () => {
    expect(run(onLogits(router, double), batch)).toEqual(route(double(batch.logits!, 4, context), router))
    const seen: number[] = []
    const look = onLogits(
      (given) => {
        seen.push(...given.logits!)
        return route(given.logits!, router)
      },
      double,
      addOne,
    )
    run(look, batch)
    expect(seen).toEqual([7, 3, 1, -3])
  })

  test('onLogits keeps the bias, and everything else of the batch', () => {
    const bias = Float32Array.of(-9, 0, 0, 0)
    expect([...run(onLogits(router, double), batch, { bias }).experts]).toEqual([1, 2])
    const passed: Batch[] = []
    run(
      onLogits((given) => {
        passed.push(given)
        return route(given.logits!, router)
      }, double),
      { ...batch, tokenIds: Int32Array.of(5) },
    )
    expect([...passed[0].tokenIds!]).toEqual([5])
  })

  test('onHidden: to the input of a router with weights of its own', () => {
    const weights = normalRows(4, 3)
    const hidden = Float32Array.of(1, -2, 3)
    const linear = linearRouter(router, weights)
    const bias = new Float32Array(4)
    expect(run(onHidden(linear, negate), { tokens: 1, hidden }, { bias })).toEqual(
      run(linear, { tokens: 1, hidden: Float32Array.of(-1, 2, -3) }, { bias }),
    )
    const jittered = onHidden(linear, jitter(1e-2))
    const { weights: moved } = run(jittered, { tokens: 1, hidden }, { bias })
    expect(moved[0]).not.toBe(run(linear, { tokens: 1, hidden }, { bias }).weights[0])
    expect(moved[0]).toBeCloseTo(run(linear, { tokens: 1, hidden }, { bias }).weights[0], 1)
  })

  test('onSelection: to the selection alone; weights are those of the clean logits', () => {
    const { experts, weights } = run(onSelection(router, negate), batch)
    expect([...experts]).toEqual([3, 2])
    expect(weights).toEqual(routeAt(batch.logits!, experts, router).weights)
  })

  test('onSelection with Gumbel noise draws the top-1 from the softmax, and weighs it by the softmax', () => {
    const tokens = 20_000
    const logits = Float32Array.from({ length: 3 * tokens }, (_, i) => Math.log([0.6, 0.3, 0.1][i % 3]))
    const routing = run(onSelection(switchTop1(3), gumbelNoise()), { tokens, logits })
    sharesOf(routing).forEach((share, e) => {
      const p = [0.6, 0.3, 0.1][e]
      expect(Math.abs(share - p)).toBeLessThan(fiveErrors(p, tokens))
    })
    routing.weights.forEach((weight, token) =>
      expect(weight).toBeCloseTo([0.6, 0.3, 0.1][routing.experts[token]], 6),
    )
  })

  test('no tokens are no trouble', () => {
    const none = { tokens: 0, logits: new Float32Array(0), hidden: new Float32Array(0) }
    const bias = new Float32Array(4)
    expect(run(onLogits(router, double, jitter(0.1)), none, { bias }).tokens).toBe(0)
    expect(run(onSelection(router, gumbelNoise()), none, { bias }).tokens).toBe(0)
    expect(run(onHidden(asRouter(router), jitter(0.1)), none, { bias }).tokens).toBe(0)
  })

  test('refuse batches that have not what the step changes', () => {
    expect(() => run(onLogits(router, double), { tokens: 1 })).toThrow('onLogits: the batch must have logits')
    expect(() => run(onLogits(router, double), { tokens: 2, logits: new Float32Array(3) })).toThrow(
      'each of 2 tokens',
    )
    expect(() => run(onSelection(router, double), { tokens: 1 })).toThrow(
      'onSelection: the batch must have logits',
    )
    expect(() => run(onHidden(asRouter(router), double), { tokens: 1 })).toThrow(
      'onHidden: the workload must give hidden',
    )
  })
})

describe('asRouter', () => {
  test('routes by a config; leaves a function as it is', () => {
    const own = asRouter(router)
    const bias = Float32Array.of(-9, 0, 0, 0)
    expect(run(own, ofLogits(4, 3, 1, 0, -2), { bias })).toEqual(
      route(Float32Array.of(3, 1, 0, -2), router, bias),
    )
    expect(asRouter(own)).toBe(own)
  })

  test('takes softmax after top-k with a bias of 0 only', () => {
    const after = asRouter({ ...router, softmaxOrder: 'afterTopK' })
    expect([...run(after, ofLogits(4, 3, 1, 0, -2)).experts]).toEqual([0, 1])
    expect(() => run(after, ofLogits(4, 3, 1, 0, -2), { bias: Float32Array.of(0, 0, 0, 1) })).toThrow(
      'takes no bias',
    )
  })

  test('refuses a config that contradicts itself at once', () => {
    expect(() => asRouter({ ...router, topK: 5 })).toThrow(InputError)
  })
})
