import fc from 'fast-check'
import { route, routeInPrecision } from 'moesim'
import { describe, expect, test } from 'vitest'
import { withoutWebAssembly } from '../kernels/plain.js'
import { naiveRoute } from './naive-route.js'
import { type RouteCase, routeCase, uniform } from './route-cases.js'

/** Where two arrays differ, −0 and 0 told apart; −1 if nowhere. */
const firstDifference = (one: ArrayLike<number>, other: ArrayLike<number>): number => {
  for (let i = 0; i < one.length; i++) if (!Object.is(one[i], other[i])) return i
  return one.length === other.length ? -1 : Math.min(one.length, other.length)
}

function expectAgreement({ name, logits, router, bias }: RouteCase): void {
  const naive = naiveRoute(logits, router, bias)
  const kernel = route(logits, router, bias)
  const twin = withoutWebAssembly(() => route(logits, router, bias))
  for (const { experts, weights } of [kernel, twin]) {
    expect([name, firstDifference(experts, naive.experts), firstDifference(weights, naive.weights)]).toEqual([
      name,
      -1,
      -1,
    ])
  }
}

describe('the kernel, its plain twin and the naive reference give the same experts and weights, bit for bit', () => {
  test('on mixed routers, biases and logits, hard ones included', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => expectAgreement(routeCase(seed, 20_000))),
      { numRuns: 150 },
    )
  })

  test('and the same scores, which a rounding of the keys makes them compute all', () => {
    for (let seed = 0; seed < 40; seed++) {
      const { logits, router, bias } = routeCase(seed, 4000)
      const rounded = () => routeInPrecision(logits, router, { keys: 'bf16' }, bias)
      expect(withoutWebAssembly(rounded)).toEqual(rounded())
    }
  })

  test('on logits that drift along the batch, so that no cut fits for long', () => {
    const router = {
      numExperts: 128,
      topK: 6,
      scoreFunction: 'sigmoid',
      normalize: true,
      scale: 2.5,
    } as const
    const draw = uniform(1)
    const logits = Float32Array.from({ length: 4000 * 128 }, (_, i) => {
      const token = Math.floor(i / 128)
      return 3 * Math.sign((token % 1500) - 700) + (1 + token / 1000) * (draw() + draw() + draw() - 1.5)
    })
    expectAgreement({ name: 'drift', logits, router, bias: undefined })
  })
})

describe('NaN and +∞ are refused with their position', () => {
  const router = { numExperts: 100, topK: 3, scoreFunction: 'sigmoid', normalize: true, scale: 1 } as const

  test.each([NaN, Infinity])('%d, wherever it stands', (bad) => {
    const draw = uniform(2)
    const logits = Float32Array.from({ length: 3000 * 100 }, () => 4 * draw() - 2)
    for (const at of [0, 99, 1570, 150_001, 299_999]) {
      const spoilt = logits.slice()
      spoilt[at] = bad
      const refusal = `the logit of token ${Math.floor(at / 100)} for expert ${at % 100} must be a number`
      for (const scoreFunction of ['sigmoid', 'sqrtsoftplus', 'softmax'] as const) {
        const refused = () => route(spoilt, { ...router, scoreFunction })
        expect(refused).toThrow(refusal)
        expect(() => withoutWebAssembly(refused)).toThrow(refusal)
      }
      const rounded = () => routeInPrecision(spoilt, router, { keys: 'bf16' })
      expect(rounded).toThrow(refusal)
      expect(() => withoutWebAssembly(rounded)).toThrow(refusal)
      const after = { ...router, scoreFunction: 'softmax', softmaxOrder: 'afterTopK' } as const
      expect(() => route(spoilt, after)).toThrow(refusal)
    }
  })
})
