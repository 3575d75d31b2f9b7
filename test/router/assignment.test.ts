import fc from 'fast-check'
import { balancedAssignment, baseLayer, gaussian, InputError, loadOf, sigmoid, streams } from 'moesim'
import { describe, expect, test } from 'vitest'
import { routeBy } from './run.js'

const sumOf = (scores: Float32Array, experts: ArrayLike<number>, numExperts: number): number => {
  let sum = 0
  for (let token = 0; token < experts.length; token++) {
    if (experts[token] >= 0) sum += scores[token * numExperts + experts[token]]
  }
  return sum
}

const countsOf = (experts: Int32Array, numExperts: number): number[] => {
  const counts = new Array<number>(numExperts).fill(0)
  for (const expert of experts) if (expert >= 0) counts[expert]++
  return counts
}

/** The best sum over all balanced assignments of the tokens, by trying every one; −∞ if there is none. */
function bruteForce(scores: Float32Array, numExperts: number): number {
  const tokens = scores.length / numExperts
  const most = Math.ceil(tokens / numExperts)
  const least = Math.floor(tokens / numExperts)
  const counts = new Array<number>(numExperts).fill(0)
  const best = (token: number): number => {
    if (token === tokens) return counts.every((count) => count >= least) ? 0 : -Infinity
    let sum = -Infinity
    for (let e = 0; e < numExperts; e++) {
      if (counts[e] === most) continue
      counts[e]++
      sum = Math.max(sum, scores[token * numExperts + e] + best(token + 1))
      counts[e]--
    }
    return sum
  }
  return best(0)
}

/**
 * No balanced assignment can have more: Σ_t max_e(score − price) + Σ_e price · count, with ⌈T/E⌉ at the highest prices.
 * An assignment that reaches it is optimal, and the prices are the proof.
 */
function upperBound(scores: Float32Array, prices: Float64Array, tokens: number): number {
  const numExperts = prices.length
  let bound = 0
  for (let row = 0; row < scores.length; row += numExperts) {
    let gain = -Infinity
    for (let e = 0; e < numExperts; e++) gain = Math.max(gain, scores[row + e] - prices[e])
    if (gain > -Infinity) bound += gain
  }
  const least = Math.floor(tokens / numExperts)
  const dearest = [...prices].sort((a, b) => b - a)
  return dearest.reduce((sum, price, i) => sum + price * (least + Number(i < tokens % numExperts)), bound)
}

const small = fc.integer({ min: 1, max: 4 }).chain((numExperts) =>
  fc.record({
    numExperts: fc.constant(numExperts),
    // Few distinct whole scores, so that ties are common and sums exact; some experts are masked.
    scores: fc
      .array(fc.oneof({ weight: 6, arbitrary: fc.integer({ min: -5, max: 5 }) }, fc.constant(-Infinity)), {
        maxLength: 7 * numExperts,
      })
      .map((values) => Float32Array.from(values.slice(0, values.length - (values.length % numExperts)))),
  }),
)

describe('the balanced assignment', () => {
  test('has the largest sum of all, and prices that prove it, or is refused where there is none', () => {
    fc.assert(
      fc.property(small, ({ numExperts, scores }) => {
        const open = Array.from({ length: scores.length / numExperts }, (_, token) => [
          ...scores.subarray(token * numExperts, (token + 1) * numExperts),
        ]).filter((row) => row.some((score) => score > -Infinity))
        const best = bruteForce(Float32Array.from(open.flat()), numExperts)
        if (best === -Infinity) {
          expect(() => balancedAssignment(scores, numExperts)).toThrow(
            'must leave every expert enough tokens',
          )
          return
        }
        const { experts, prices } = balancedAssignment(scores, numExperts)
        const counts = countsOf(experts, numExperts)
        expect(counts.reduce((sum, count) => sum + count, 0)).toBe(open.length)
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
        expect(sumOf(scores, experts, numExperts)).toBe(best)
        expect(upperBound(scores, prices, open.length)).toBe(best)
        expect(Math.min(...prices)).toBe(0)
      }),
      { numRuns: 1000 },
    )
  })

  test.each([
    [1024, 64, 0],
    [1024, 64, 2],
    [1000, 64, 0.5],
    [40, 64, 0.5],
    [512, 1, 0],
  ])('of %d tokens and %d experts, skew %d, reaches the bound of its prices', (tokens, numExperts, skew) => {
    const workload = gaussian({ numExperts, skew })
    const logits = workload({ step: 0, layer: 0, tokens, random: streams(7) }).logits as Float32Array
    const { experts, prices } = balancedAssignment(logits, numExperts)
    const counts = countsOf(experts, numExperts)
    expect(Math.min(...counts)).toBe(Math.floor(tokens / numExperts))
    expect(Math.max(...counts)).toBe(Math.ceil(tokens / numExperts))
    const sum = sumOf(logits, experts, numExperts)
    expect(Math.abs(upperBound(logits, prices, tokens) - sum)).toBeLessThan(1e-9 * Math.abs(sum))
  })

  test('shares out equal tokens, and leaves padding without an expert', () => {
    expect(countsOf(balancedAssignment(new Float32Array(300 * 8), 8).experts, 8).sort()).toEqual([
      37, 37, 37, 37, 38, 38, 38, 38,
    ])
    const padded = Float32Array.of(1, 0, -Infinity, -Infinity, 2, 0)
    expect([...balancedAssignment(padded, 2).experts]).toEqual([1, -1, 0])
  })

  test('refuses scores that it cannot assign', () => {
    expect(() => balancedAssignment(new Float32Array(3), 2)).toThrow(
      'balancedAssignment: scores must hold rows',
    )
    expect(() => balancedAssignment(Float32Array.of(1, Number.NaN), 2)).toThrow('token 0 for expert 1')
    expect(() => balancedAssignment(new Float32Array(0), 0)).toThrow(InputError)
  })
})

describe('a BASE layer', () => {
  test('gives each expert T / E tokens, with the sigmoid of their logit as weight', () => {
    const logits = Float32Array.of(3, 0, 2, 0, 1, 0, 2, 1)
    const routing = routeBy(baseLayer({ numExperts: 2 }), logits, 2)
    expect([...routing.experts]).toEqual([0, 0, 1, 1])
    expect([...loadOf(routing)]).toEqual([2, 2])
    expect([...routing.weights]).toEqual([3, 2, 0, 1].map((logit) => Math.fround(sigmoid(logit))))
    expect(() => baseLayer({ numExperts: 0 })).toThrow('baseLayer: numExperts must be')
  })
})
