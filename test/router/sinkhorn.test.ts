import fc from 'fast-check'
import { gaussian, InputError, loadOf, maxViolation, route, sinkhorn, sinkhornMatrix, streams } from 'moesim'
import { describe, expect, test } from 'vitest'
import { expectClose, golden } from '../golden.js'
import { chosen } from '../routings.js'
import { denseWeights, routeBy } from './run.js'

const { expected, inputs, tolerance, floats, ints, matches } = golden('sinkhorn')
const logits = floats(inputs.logits)

interface Part {
  weights: Parameters<typeof floats>[0]
  map: Parameters<typeof ints>[0]
  tokensPerExpert: Parameters<typeof ints>[0]
}
const part = (name: string): Part => expected[name] as unknown as Part

describe('Sinkhorn routing', () => {
  test('reproduces the recorded matrix, in as many rounds, the last two of the recorded size', () => {
    const { matrix, changes } = sinkhornMatrix(logits, 8)
    matches('normMatrix', matrix)
    expect(changes).toHaveLength(expected.iterations as unknown as number)
    // Recorded by a float64 replay with another exp, so that the last bits may differ.
    expectClose(changes.slice(-2), expected.lastErrors as unknown as number[], { rel: 1e-12 }, 'last errors')
  })

  test.each([1, 2])('reproduces recorded training and evaluation with k = %d', (topK) => {
    const scoreFunction = topK === 1 ? 'sigmoid' : 'softmax'
    const routings = {
      Training: routeBy(sinkhorn({ numExperts: 8, topK }), logits, 8),
      Evaluation: route(logits, { numExperts: 8, topK, scoreFunction, normalize: false, scale: 1 }),
    }
    for (const [phase, routing] of Object.entries(routings)) {
      const { weights, map, tokensPerExpert } = part(`top${topK}${phase}`)
      const dense = denseWeights(routing)
      expectClose(dense, floats(weights), tolerance.weights, `top-${topK} ${phase} weights`)
      expect(dense.map((weight) => Number(weight > 0))).toEqual(Float32Array.from(ints(map)))
      expect(loadOf(routing)).toEqual(ints(tokensPerExpert))
    }
  })

  test('reproduces the small vectors of Megatron-LM', () => {
    const small = Float32Array.of(
      ...[1.0, -0.5, 0.3, 2.0, -1.2, 0.7, 0.0, 0.9],
      ...[-0.3, 0.8, 1.5, -0.7, 0.4, 1.1, 0.2, -1.0],
      ...[0.6, 0.1, -0.9, 1.3, 1.8, -0.2, 0.5, -0.4],
      ...[2.2, 1.9, 0.0, -0.6, 0.3, 0.8, -1.1, 1.4],
    )
    expect(chosen(routeBy(sinkhorn({ numExperts: 8, topK: 1 }), small, 8))).toEqual([[3], [2], [4], [0]])
    expect(chosen(routeBy(sinkhorn({ numExperts: 8, topK: 2 }), small, 8))).toEqual([
      [3, 7],
      [2, 5],
      [4, 6],
      [0, 1],
    ])
    const { matrix } = sinkhornMatrix(small, 8)
    const first = [0.0288135, 0.0085477, 0.0231198, 0.0756613, 0.0040566, 0.0327999, 0.0290843, 0.0479132]
    const last = [0.0672271, 0.0662144, 0.0120363, 0.0039491, 0.012776, 0.025474, 0.0068034, 0.0555133]
    expectClose(matrix.subarray(0, 8), first, { abs: 2e-7 }, 'row 0')
    expectClose(matrix.subarray(24), last, { abs: 2e-7 }, 'row 3')
  })

  test('scales columns to 1/E, rows nearly to 1/T', () => {
    const rows = fc.array(fc.double({ min: -3, max: 3, noNaN: true }), { minLength: 24, maxLength: 24 })
    fc.assert(
      fc.property(rows, (values) => {
        const { matrix } = sinkhornMatrix(Float32Array.from(values), 4)
        for (let e = 0; e < 4; e++) {
          let sum = 0
          for (let t = 0; t < 6; t++) sum += matrix[t * 4 + e]
          expect(Math.abs(sum - 1 / 4)).toBeLessThan(1e-6)
        }
        for (let t = 0; t < 6; t++) {
          const sum = matrix.subarray(t * 4, t * 4 + 4).reduce((total, share) => total + share, 0)
          expect(Math.abs(sum - 1 / 6)).toBeLessThan(0.01)
        }
      }),
    )
  })

  const batchOf = (skew: number): Float32Array =>
    gaussian({ numExperts: 8, skew })({ step: 0, layer: 0, tokens: 512, random: streams(1) })
      .logits as Float32Array

  test('balances a batch that top-k sends to few experts', () => {
    const skewed = batchOf(2)
    const plain = route(skewed, {
      numExperts: 8,
      topK: 1,
      scoreFunction: 'sigmoid',
      normalize: false,
      scale: 1,
    })
    const balanced = routeBy(sinkhorn({ numExperts: 8, topK: 1 }), skewed, 8)
    expect(maxViolation(loadOf(plain))).toBeGreaterThan(4)
    expect(maxViolation(loadOf(balanced))).toBeLessThan(0.25)
  })

  test('ends on logits for which the rule of the reference would go on for 10⁵ rounds', () => {
    expect(sinkhornMatrix(batchOf(5), 8).changes).toHaveLength(1000)
    const balanced = routeBy(sinkhorn({ numExperts: 8, topK: 1 }), batchOf(5), 8)
    expect(maxViolation(loadOf(balanced))).toBeLessThan(0.25)
  })

  test('counts neither padding nor an expert closed to all: the rest is routed as if they were not there', () => {
    const batch = batchOf(1)
    const { matrix, changes } = sinkhornMatrix(batch, 8)
    const padded = new Float32Array(batch.length + 128 * 8).fill(-Infinity)
    padded.set(batch, 64 * 8)
    const amidPadding = sinkhornMatrix(padded, 8)
    expect(amidPadding.changes).toEqual(changes)
    expect(amidPadding.matrix.subarray(64 * 8, 64 * 8 + batch.length)).toEqual(matrix)
    const { experts } = routeBy(sinkhorn({ numExperts: 8, topK: 1 }), padded, 8)
    expect(experts.subarray(64, 576)).toEqual(routeBy(sinkhorn({ numExperts: 8, topK: 1 }), batch, 8).experts)
    const wider = new Float32Array((batch.length / 8) * 9).map((_, i) =>
      i % 9 === 3 ? -Infinity : batch[Math.floor(i / 9) * 8 + (i % 9) - Number(i % 9 > 3)],
    )
    const withClosed = sinkhornMatrix(wider, 9)
    expect(withClosed.changes).toEqual(changes)
    expect(withClosed.matrix.filter((_, i) => i % 9 !== 3)).toEqual(matrix)
    expect(sinkhornMatrix(new Float32Array(16).fill(-Infinity), 8).matrix).toEqual(new Float32Array(16))
  })

  test('never takes an expert masked by −∞', () => {
    const masked = Float32Array.of(-Infinity, 0, 1, 2, -Infinity, -Infinity)
    expect(chosen(routeBy(sinkhorn({ numExperts: 2, topK: 2 }), masked, 2))).toEqual([[1], [0, 1], []])
  })

  test('refuses what it cannot route', () => {
    expect(() => sinkhorn({ numExperts: 2, topK: 3 })).toThrow(InputError)
    expect(() => sinkhorn({ numExperts: 0, topK: 1 })).toThrow('sinkhorn: numExperts must be')
    expect(() => sinkhornMatrix(new Float32Array(3), 2)).toThrow('sinkhornMatrix: logits must hold rows')
    expect(() => sinkhornMatrix(Float32Array.of(0, 701), 2)).toThrow(
      'sinkhornMatrix: logits must be at most 700',
    )
    expect(() => routeBy(sinkhorn({ numExperts: 2, topK: 1 }), Float32Array.of(0, 701), 2)).toThrow(
      'sinkhorn: logits must be at most 700',
    )
    expect(() => sinkhornMatrix(Float32Array.of(0, Number.NaN), 2)).toThrow(
      'sinkhornMatrix: the logit of token 0 for expert 1',
    )
  })
})
