import fc from 'fast-check'
import { type RouterConfig, route, routeAt, weightGradient } from 'moesim'
import { expect, test } from 'vitest'
import { expectClose } from '../golden.js'
import { normalRows } from './run.js'

const routers: fc.Arbitrary<RouterConfig> = fc
  .record({
    score: fc.constantFrom('sigmoid', 'softmax', 'sqrtsoftplus', 'afterTopK'),
    normalize: fc.boolean(),
    scale: fc.constantFrom(0, 1, -2.5),
    epsilon: fc.constantFrom(1e-20, 0.5),
  })
  .map(({ score, ...rest }) => ({
    numExperts: 5,
    topK: 3,
    ...(score === 'afterTopK'
      ? ({ scoreFunction: 'softmax', softmaxOrder: 'afterTopK' } as const)
      : { scoreFunction: score }),
    ...rest,
  }))

/** Σ of coefficients times weights: its gradient with respect to the weights is the coefficients. */
const loss = (weights: Float32Array, coefficients: Float32Array): number =>
  weights.reduce((sum, weight, slot) => sum + weight * coefficients[slot], 0)

test('the gradient is that of central differences, for every way to score and to weigh', () => {
  fc.assert(
    fc.property(routers, fc.integer({ min: 1, max: 99 }), (router, seed) => {
      const logits = normalRows(2, 5, seed)
      const coefficients = normalRows(2, 3, seed + 100)
      const routing = route(logits, router)
      const gradient = weightGradient(logits, routing, router, coefficients)
      const step = 2 ** -8
      const differences = logits.map((_, i) => {
        const at = (shift: number) => {
          const moved = logits.slice()
          moved[i] += shift
          return loss(routeAt(moved, routing.experts, router).weights, coefficients)
        }
        return (at(step) - at(-step)) / (2 * step)
      })
      expectClose(gradient, differences, { abs: 2e-4, rel: 1e-3 }, 'gradient')
    }),
  )
})

test('a dropped weight still is in the sum that the others were divided by', () => {
  const router = { numExperts: 2, topK: 2, scoreFunction: 'sigmoid', normalize: true, scale: 1 } as const
  const logits = Float32Array.of(0, 0)
  const free = route(logits, router)
  // w = s₀ / (s₀ + s₁): ∂w/∂z₀ = w (1 − w) (1 − s₀) and the opposite for z₁.
  expect(weightGradient(logits, free, router, Float32Array.of(1, 0))).toEqual(Float32Array.of(0.125, -0.125))
})

test('an expert that was not chosen is not pulled, but by a softmax over all; a masked one never', () => {
  const logits = Float32Array.of(1, 0, Number.NEGATIVE_INFINITY)
  const sigmoid = { numExperts: 3, topK: 3, scoreFunction: 'sigmoid', normalize: false, scale: 1 } as const
  const ones = new Float32Array(3).fill(1)
  const [first, second, masked] = weightGradient(logits, route(logits, sigmoid), sigmoid, ones)
  expect(first).toBeCloseTo(0.19661193, 7)
  expect(second).toBe(0.25)
  expect(masked).toBe(0)
  const softmax = { ...sigmoid, topK: 1, scoreFunction: 'softmax' } as const
  const [own, other, none] = weightGradient(logits, route(logits, softmax), softmax, ones.subarray(2))
  expect(own).toBeCloseTo(0.19661193, 7)
  expect(other).toBeCloseTo(-0.19661193, 7)
  expect(none).toBeCloseTo(0, 20)
})

test('weights that have all underflowed, and no tokens, give no gradient', () => {
  const router = { numExperts: 2, topK: 2, scoreFunction: 'sigmoid', normalize: true, scale: 1 } as const
  const low = Float32Array.of(-200, -300)
  expect(weightGradient(low, route(low, router), router, Float32Array.of(1, 2))).toEqual(new Float32Array(2))
  const root = { ...router, scoreFunction: 'sqrtsoftplus' } as const
  const lower = Float32Array.of(-2000, -3000)
  expect(weightGradient(lower, route(lower, root), root, Float32Array.of(1, 2))).toEqual(new Float32Array(2))
  const none = new Float32Array(0)
  expect(weightGradient(none, route(none, router), router, none)).toEqual(none)
})

test('a gradient of another length is refused', () => {
  const router = { numExperts: 2, topK: 1, scoreFunction: 'sigmoid', normalize: false, scale: 1 } as const
  const logits = new Float32Array(4)
  expect(() => weightGradient(logits, route(logits, router), router, new Float32Array(3))).toThrow(
    'weightGradient: a gradient and a routing by topK = 1 of these logits must hold 2 slots, got "3 and 2"',
  )
})
