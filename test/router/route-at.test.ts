import fc from 'fast-check'
import { InputError, type RouterConfig, route, routeAt, topK } from 'moesim'
import { describe, expect, test } from 'vitest'

const config = { numExperts: 4, topK: 2, scoreFunction: 'sigmoid', normalize: true, scale: 1 } as const
const logits = Float32Array.of(2, 1, 0, -1)

describe('routeAt', () => {
  test('gives the experts of route the weights of route, whatever the score function', () => {
    const functions: Partial<RouterConfig>[] = [
      { scoreFunction: 'sigmoid' },
      { scoreFunction: 'sqrtsoftplus', normalize: false },
      { scoreFunction: 'softmax' },
      { scoreFunction: 'softmax', softmaxOrder: 'afterTopK' },
    ]
    const rows = fc.array(fc.double({ min: -9, max: 9, noNaN: true }), { minLength: 12, maxLength: 12 })
    fc.assert(
      fc.property(rows, fc.constantFrom(...functions), (values, more) => {
        const router = { ...config, ...more }
        const own = route(Float32Array.from(values), router)
        expect(routeAt(Float32Array.from(values), own.experts, router)).toEqual(own)
      }),
    )
  })

  test('weighs experts in any order, and skips empty slots wherever they stand', () => {
    const [second, best] = route(logits, { ...config, topK: 2 })
      .weights.slice()
      .reverse()
    expect([...routeAt(logits, Int32Array.of(1, 0), config).weights]).toEqual([second, best])
    for (const scoreFunction of ['sigmoid', 'softmax'] as const) {
      const router = {
        ...config,
        scoreFunction,
        ...(scoreFunction === 'softmax' && { softmaxOrder: 'afterTopK' as const }),
      }
      expect([...routeAt(logits, Int32Array.of(-1, 3), router).weights]).toEqual([0, 1])
      expect([...routeAt(logits, Int32Array.of(-1, -1), router).weights]).toEqual([0, 0])
    }
  })

  test('refuses experts that need not be whole numbers', () => {
    const halves = Float32Array.of(1.5, 0) as unknown as Int32Array
    expect(() => routeAt(logits, halves, config)).toThrow('routeAt: experts must be an Int32Array')
  })

  test.each([
    [
      'logits that are no whole rows',
      Float32Array.of(1),
      [0, 1],
      'routeAt: logits must be a Float32Array of tokens × 4',
    ],
    ['too few experts', logits, [0], 'routeAt: experts must hold topK = 2 for each of 1 tokens'],
    [
      'an expert that does not exist',
      logits,
      [0, 4],
      'routeAt: the experts of token 0 must be from 0 to 3, or −1',
    ],
    ['an expert chosen twice', logits, [1, 1], 'routeAt: the experts of token 0 must be distinct'],
    ['a masked expert', Float32Array.of(0, -Infinity, 0, 0), [0, 1], 'must not be masked by a logit of −∞'],
  ])('refuses %s', (_, rows, experts, rule) => {
    const routing = () => routeAt(rows, Int32Array.from(experts), config)
    expect(routing).toThrow(InputError)
    expect(routing).toThrow(rule)
  })
})

describe('topK', () => {
  test('is largest first, ties to the lower index, −∞ never', () => {
    const keys = Float32Array.of(1, 3, 3, -5, -Infinity, 2, -Infinity, -Infinity)
    expect([...topK(keys, 4, 3)]).toEqual([1, 2, 0, 1, -1, -1])
  })

  test('refuses NaN, rows that do not fit and more experts than there are', () => {
    expect(() => topK(Float32Array.of(1, Number.NaN), 2, 1)).toThrow('topK: the key at 1 must be a number')
    expect(() => topK(new Float32Array(3), 2, 1)).toThrow('topK: keys must hold rows of numExperts = 2')
    expect(() => topK(new Float32Array(2), 2, 3)).toThrow('topK: topK must be a whole number from 1 to 2')
  })
})
