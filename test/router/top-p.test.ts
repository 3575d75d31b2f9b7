import fc from 'fast-check'
import { route, topP } from 'moesim'
import { describe, expect, test } from 'vitest'
import { golden } from '../golden.js'
import { chosen } from '../routings.js'
import { denseWeights, normalRows, routeBy } from './run.js'

describe('top-p routing', () => {
  test('reproduces Dynamic_MoE', () => {
    const { inputs, floats, matches } = golden('top-p')
    const routing = routeBy(topP({ numExperts: 8, threshold: 0.6 }), floats(inputs.logits), 8)
    matches('denseWeights', denseWeights(routing))
    matches(
      'expertsPerToken',
      chosen(routing).map((experts) => experts.length),
    )
    const indices = chosen(routing).map((experts) => [...experts, ...new Array(8).fill(-1)].slice(0, 8))
    matches('sortedIndices', indices.flat())
    const sorted = indices.flatMap((_, token) =>
      Array.from({ length: 8 }, (_, slot) =>
        slot < routing.topK ? routing.weights[token * routing.topK + slot] : 0,
      ),
    )
    matches('sortedWeights', sorted)
  })

  test('takes the fewest best experts whose probabilities sum to more than the threshold', () => {
    const rows = fc.array(fc.integer({ min: -64, max: 64 }), { minLength: 5, maxLength: 5 })
    fc.assert(
      fc.property(
        rows,
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (sixteenths, threshold) => {
          const logits = Float32Array.from(sixteenths, (n) => n / 16)
          const all = route(logits, {
            numExperts: 5,
            topK: 5,
            scoreFunction: 'softmax',
            normalize: false,
            scale: 1,
          })
          const routing = routeBy(topP({ numExperts: 5, threshold }), logits, 5)
          const [experts] = chosen(routing)
          expect(experts).toEqual([...all.experts.subarray(0, experts.length)])
          const sum = (count: number): number =>
            all.weights.subarray(0, count).reduce((total, weight) => total + weight, 0)
          expect(sum(experts.length - 1)).toBeLessThanOrEqual(threshold)
          if (experts.length < 5) expect(sum(experts.length)).toBeGreaterThan(threshold)
        },
      ),
    )
  })

  test('needs strictly more than the threshold, and takes no masked expert', () => {
    const equal = new Float32Array(4)
    expect(chosen(routeBy(topP({ numExperts: 4, threshold: 0.5 }), equal, 4))).toEqual([[0, 1, 2]])
    expect(chosen(routeBy(topP({ numExperts: 4, threshold: 0 }), equal, 4))).toEqual([[0]])
    const masked = Float32Array.of(-Infinity, 0, -Infinity, 0)
    expect(chosen(routeBy(topP({ numExperts: 4, threshold: 1 }), masked, 4))).toEqual([[1, 3]])
    const closed = new Float32Array(4).fill(-Infinity)
    expect(chosen(routeBy(topP({ numExperts: 4, threshold: 1 }), closed, 4))).toEqual([[]])
  })

  test('of 1 takes every expert, also where rounded probabilities sum to more than 1 before the last', () => {
    const logits = normalRows(200, 64).map((logit) => 6 * logit)
    const { experts } = routeBy(topP({ numExperts: 64, threshold: 1 }), logits, 64)
    expect(experts).toHaveLength(200 * 64)
    expect(experts).not.toContain(-1)
  })

  test.each([-0.1, 1.1, Number.NaN])('refuses a threshold of %d', (threshold) => {
    expect(() => topP({ numExperts: 4, threshold })).toThrow('topP: threshold must be a number from 0 to 1')
  })

  test('refuses no expert and NaN', () => {
    expect(() => topP({ numExperts: 0, threshold: 0.5 })).toThrow('topP: numExperts must be')
    const one = topP({ numExperts: 1, threshold: 0.5 })
    expect(() => routeBy(one, Float32Array.of(Number.NaN), 1)).toThrow('topP: the logit of token 0')
  })
})
