import fc from 'fast-check'
import { loadOf, reluRegularizer, reluRouter, sparsityController, sparsityOf } from 'moesim'
import { describe, expect, test } from 'vitest'
import { expectClose, golden } from '../golden.js'
import { chosen } from '../routings.js'
import { denseWeights, routeBy } from './run.js'

const { params, expected, inputs, tolerance, floats, matches } = golden('relu-routing')
const logits = floats(inputs.logits)
const routing = routeBy(reluRouter({ numExperts: 8 }), logits, 8)

describe('ReLU routing', () => {
  test('reproduces ReMoE', () => {
    const weights = denseWeights(routing)
    matches('denseWeights', weights)
    matches(
      'map',
      weights.map((weight) => Number(weight > 0)),
    )
    matches('tokensPerExpert', loadOf(routing))
    matches(
      'expertsPerToken',
      chosen(routing).map((experts) => experts.length),
    )
    expectClose([sparsityOf(routing)], [Number(expected.sparsity)], tolerance.sparsity, 'sparsity')
  })

  test('takes the largest logits first, and no expert at 0 or below', () => {
    const rows = Float32Array.of(0.5, 0, 2, -0, -1, -Infinity)
    const found = routeBy(reluRouter({ numExperts: 3 }), rows, 3)
    expect(chosen(found)).toEqual([[2, 0], []])
    expect([...found.weights]).toEqual([2, 0.5, 0, 0])
    expect(sparsityOf(found)).toBeCloseTo(4 / 6, 12)
    expect(sparsityOf(routeBy(reluRouter({ numExperts: 3 }), new Float32Array(0), 3))).toBe(0)
  })

  test('refuses no expert and +∞', () => {
    expect(() => reluRouter({ numExperts: 0 })).toThrow('reluRouter: numExperts must be')
    const one = reluRouter({ numExperts: 1 })
    expect(() => routeBy(one, Float32Array.of(Infinity), 1)).toThrow('reluRouter: the logit of token 0')
  })
})

describe('its regulariser', () => {
  const options = { numExperts: 8, topK: params.topK, coefficient: Number(params.coefficient) }

  test('has the value and the gradient of ReMoE', () => {
    const { value, gradient } = reluRegularizer(logits, options)
    expectClose([value], [Number(expected.regularisationLoss)], tolerance.regularisationLoss, 'value')
    matches('gradLogits', gradient)
  })

  test('has the gradient that central differences give, in float64', () => {
    // Half steps around 0.25 apart from it, so that no difference crosses the kink.
    const rows = fc.array(fc.integer({ min: -8, max: 8 }), { minLength: 12, maxLength: 12 })
    fc.assert(
      fc.property(rows, fc.nat(11), (halves, place) => {
        const at = Float64Array.from(halves, (n) => n / 2 + 0.25)
        const few = { numExperts: 4, topK: 1, coefficient: 0.3 }
        const valueAt = (step: number): number =>
          reluRegularizer(
            at.map((logit, i) => (i === place ? logit + step : logit)),
            few,
          ).value
        const difference = (valueAt(1e-3) - valueAt(-1e-3)) / 2e-3
        const { gradient } = reluRegularizer(at, few)
        expect(gradient).toBeInstanceOf(Float64Array)
        expect(Math.abs(gradient[place] - difference)).toBeLessThanOrEqual(
          1e-6 * Math.abs(difference) + 1e-12,
        )
      }),
    )
  })

  test('is 0 for no token, and refuses half a row', () => {
    expect(reluRegularizer(new Float32Array(0), options)).toEqual({ value: 0, gradient: new Float32Array(0) })
    expect(() => reluRegularizer(new Float32Array(3), options)).toThrow(
      'reluRegularizer: logits must be a Float32Array or Float64Array of tokens × 8 values',
    )
  })

  test('leaves padding out, whatever its logits are', () => {
    const without = reluRegularizer(logits, options)
    const count = logits.length / 8
    const padded = Float32Array.from([...logits, ...new Array(16).fill(Number.NaN), ...logits.slice(0, 8)])
    const valid = Array.from({ length: count + 3 }, (_, token) => (token < count ? 1 : 0))
    const within = reluRegularizer(padded, { ...options, valid })
    expect(within.value).toBe(without.value)
    expect([...within.gradient]).toEqual([...without.gradient, ...new Array(24).fill(0)])
  })

  test.each([
    ['topK 0', logits, { topK: 0 }, 'topK must be above 0 and at most 8'],
    ['topK NaN', logits, { topK: Number.NaN }, 'topK must be above 0 and at most 8'],
    ['topK 9', logits, { topK: 9 }, 'topK must be above 0 and at most 8'],
    ['a coefficient of NaN', logits, { coefficient: Number.NaN }, 'coefficient must be a finite number'],
    ['NaN', new Float32Array(8).fill(Number.NaN), {}, 'the logit of token 0 for expert 0 must be a number'],
  ])('refuses %s', (_, of, wrong, rule) => {
    expect(() => reluRegularizer(of, { ...options, ...wrong })).toThrow(`reluRegularizer: ${rule}`)
  })
})

describe('the sparsity controller', () => {
  test('replays the recorded coefficients to the last bit', () => {
    const controller = sparsityController({ numExperts: 8, topK: 2 })
    const coefficients: number[] = []
    let coefficient = controller.init()
    for (const sparsity of inputs.sparsitySequence as unknown as number[]) {
      coefficient = controller.update(coefficient, sparsity)
      coefficients.push(coefficient)
    }
    expect(coefficients).toEqual(expected.coefficientTrajectory)
  })

  test('starts at 1e-8, and divides at exactly the target', () => {
    const controller = sparsityController({ numExperts: 8, topK: 2 })
    expect(controller.init()).toBe(Math.fround(1e-8))
    expect(controller.update(1.2, 0.75)).toBe(Math.fround(1.2 / Math.fround(1.2)))
  })

  test('steers logits to K experts a token, where the regulariser is all that moves them', () => {
    const controller = sparsityController({ numExperts: 8, topK: 2, factor: 2 })
    let coefficient = controller.init()
    let moved = logits.slice()
    let sparsity = 0
    for (let step = 0; step < 100 && sparsity < 0.75; step++) {
      const { gradient } = reluRegularizer(moved, { numExperts: 8, topK: 2, coefficient })
      moved = moved.map((logit, i) => logit - gradient[i])
      sparsity = sparsityOf(routeBy(reluRouter({ numExperts: 8 }), moved, 8))
      coefficient = controller.update(coefficient, sparsity)
    }
    expect(sparsity).toBeGreaterThanOrEqual(0.75)
    expect(sparsity).toBeLessThan(1)
  })

  test.each([
    ['no expert', { numExperts: 0, topK: 1 }, 'numExperts must be'],
    ['more of them than there are', { numExperts: 2, topK: 3 }, 'topK must be above 0 and at most 2'],
    ['a start at 0', { numExperts: 2, topK: 1, initial: 0 }, 'initial must be a finite number above 0'],
    ['a factor of 1', { numExperts: 2, topK: 1, factor: 1 }, 'factor must be a finite number above 1'],
  ])('refuses %s', (_, options, rule) => {
    expect(() => sparsityController(options)).toThrow(`sparsityController: ${rule}`)
  })
})
