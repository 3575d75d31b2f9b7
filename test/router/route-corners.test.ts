import { type RouterConfig, route, sigmoid } from 'moesim'
import { expect, test } from 'vitest'
import { withoutWebAssembly } from '../kernels/plain.js'
import { naiveRoute } from './naive-route.js'
import { uniform } from './route-cases.js'

const plain = { scoreFunction: 'sigmoid', normalize: false, scale: 1 } as const

test.each([1, 2, 8, 17, 40, 63, 65, 72, 100, 1000])(
  'what a refused batch leaves behind the last row of the next one is nobody’s logit: %i experts',
  (numExperts) => {
    const router: RouterConfig = { ...plain, numExperts, topK: Math.min(2, numExperts) }
    const draw = uniform(numExperts)
    const logits = Float32Array.from({ length: 16 * numExperts }, () => 4 * draw() - 2)
    for (const tokens of [1, 4, 7, 8]) {
      const bad = logits.slice().fill(NaN, tokens * numExperts)
      expect(() => route(bad, router)).toThrow(/must be a number/)
      const good = logits.subarray(0, tokens * numExperts)
      expect(route(good, router)).toEqual(withoutWebAssembly(() => route(good, router)))
    }
  },
)

test('scores that a sigmoid to 2e-14 of its value rounds to another float32', () => {
  const logits = Float32Array.of(
    -0.0523640923,
    -0.0797804892,
    0.277341336,
    -0.00111788523,
    9.89437103e-6,
    -1.090765e-5,
  )
  const router = { ...plain, numExperts: logits.length, topK: logits.length }
  const { experts, weights } = route(logits, router)
  expect([...weights]).toEqual([...experts].map((e) => Math.fround(sigmoid(logits[e]))))
})

test('a million scores are each the sigmoid, rounded once', () => {
  const router = { ...plain, numExperts: 8, topK: 8 }
  const draw = uniform(3)
  const logits = Float32Array.from({ length: 2 ** 20 }, () => 73.7 * draw() - 36.74)
  const { experts, weights } = route(logits, router)
  const wrong = weights.findIndex((weight, i) => {
    return weight !== Math.fround(sigmoid(logits[(i & ~7) + experts[i]]))
  })
  expect(wrong).toBe(-1)
})

test.each([
  { numExperts: 128, topK: 6 },
  { numExperts: 128, topK: 1, scoreFunction: 'sqrtsoftplus' },
  { numExperts: 320, topK: 22 },
  { numExperts: 256, topK: 8, numGroups: 8, topGroups: 4 },
] as const)(
  'tokens that are as unlike one another as those of a trained router: $topK of $numExperts',
  (part) => {
    const router: RouterConfig = { ...plain, ...part }
    const { numExperts } = router
    const draw = uniform(11)
    const logits = new Float32Array(6000 * numExperts)
    for (let token = 0; token < 6000; token++) {
      const [mean, spread] = [6 * draw() - 3, Math.exp(2 * draw() - 1)]
      for (let e = 0; e < numExperts; e++) logits[token * numExperts + e] = mean + spread * (4 * draw() - 2)
    }
    const naive = naiveRoute(logits, router)
    const routings = [route(logits, router), withoutWebAssembly(() => route(logits, router))]
    for (const { experts, weights } of routings) {
      expect(experts).toEqual(naive.experts)
      expect(weights).toEqual(naive.weights)
    }
  },
)

test('+∞ is refused at an expert whose bias is so low that no other logit brings it in', () => {
  const router = { ...plain, numExperts: 8, topK: 2, scoreFunction: 'sqrtsoftplus' } as const
  const logits = Float32Array.from({ length: 1600 }, (_, i) => Math.sin(i * i))
  logits[8 * 150 + 3] = Infinity
  const bias = new Float32Array(8)
  bias[3] = -1e20
  expect(() => route(logits, router, bias)).toThrow('the logit of token 150 for expert 3 must be a number')
})
