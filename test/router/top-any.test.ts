import { InputError, sigmoid, topAny, topAnyEvaluation } from 'moesim'
import { describe, expect, test } from 'vitest'
import { chosen } from '../routings.js'
import { run } from './run.js'

// Three experts in the plane: right, up, and up-right.
const gate = { weight: Float32Array.of(1, 0, 0, 3, 2, 2), thresholds: Float32Array.of(0, 0, 0) }
// Cosines: [0.6, 0.8, 0.99], [1, 0, 0.71], [−0.6, −0.8, −0.99], [0, −1, −0.71]
const batch = { tokens: 4, hidden: Float32Array.of(3, 4, 5, 0, -0.3, -0.4, 0, -2) }

describe('top-any routing', () => {
  test('takes the experts whose cosine passes their threshold, best first, each with an equal share', () => {
    const routing = run(topAny(gate), batch)
    expect(chosen(routing)).toEqual([[2, 1, 0], [0, 2], [], []])
    expect([...routing.weights]).toEqual(
      [1 / 3, 1 / 3, 1 / 3, 0.5, 0.5, 0, 0, 0, 0, 0, 0, 0].map(Math.fround),
    )
  })

  test('in evaluation gives a token without any the expert of its largest cosine, and changes no other', () => {
    const routing = run(topAnyEvaluation(gate), batch)
    expect(chosen(routing)).toEqual([[2, 1, 0], [0, 2], [0], [0]])
    expect([...routing.weights.subarray(6)]).toEqual([1, 0, 0, 1, 0, 0])
  })

  test('does not look at the size of hidden states or weights, nor, up to rounding, at the scale', () => {
    const long = { tokens: 4, hidden: batch.hidden.map((x) => 8 * x) }
    const scaled = { ...gate, weight: gate.weight.map((w) => 4 * w), scale: 10 }
    expect(chosen(run(topAny(scaled), long))).toEqual(chosen(run(topAny(gate), batch)))
  })

  test('compares float32 sigmoids, which a large scale can make equal', () => {
    const one = { weight: Float32Array.of(1), thresholds: Float32Array.of(0.9), scale: 10 }
    const batch = { tokens: 1, hidden: Float32Array.of(1) }
    expect(Math.fround(sigmoid(90 * 0.9))).toBe(1)
    expect(chosen(run(topAny(one), batch))).toEqual([[0]])
    expect(chosen(run(topAny({ ...one, scale: 90 }), batch))).toEqual([[]])
  })

  test('in evaluation goes by the cosine where sigmoids are equal', () => {
    const steep = { weight: Float32Array.of(4, 3, 3, 4), thresholds: Float32Array.of(1, 1), scale: 100 }
    const batch = { tokens: 1, hidden: Float32Array.of(0, 1) } // cosines 0.6 and 0.8
    expect(Math.fround(sigmoid(60))).toBe(1)
    expect(chosen(run(topAnyEvaluation(steep), batch))).toEqual([[1]])
  })

  test('has a gate for every layer, or one for all, and counts a hidden state of 0 as no direction', () => {
    const higher = { ...gate, thresholds: Float32Array.of(0.9, 0.9, 0.9) }
    const router = topAny([gate, higher])
    expect(chosen(run(router, batch, { layer: 1 }))).toEqual([[2], [0], [], []])
    expect(() => run(router, batch, { layer: 2 })).toThrow('topAny: there must be')
    const still = run(topAny(gate), { tokens: 1, hidden: new Float32Array(2) })
    expect(chosen(still)).toEqual([[]])
    expect(run(topAnyEvaluation(gate), { tokens: 0, hidden: new Float32Array(0) }).tokens).toBe(0)
  })

  test.each([
    ['no hidden states', gate, { tokens: 4 }, 'topAny: the workload must give hidden states'],
    [
      'a weight of another size',
      { ...gate, weight: new Float32Array(4) },
      batch,
      'topAny: weight must hold numExperts = 3 rows',
    ],
    ['a scale of 0', { ...gate, scale: 0 }, batch, 'topAny: scale must be a finite number above 0'],
    [
      'a threshold that is none',
      { ...gate, thresholds: Float32Array.of(0, Number.NaN, 0) },
      batch,
      'topAny: the threshold of expert 1 must be a number',
    ],
    ['NaN', gate, { tokens: 1, hidden: Float32Array.of(Number.NaN, 0) }, 'topAny: the logit of token 0'],
  ])('refuses %s', (_, options, batch, rule) => {
    expect(() => run(topAny(options), batch)).toThrow(InputError)
    expect(() => run(topAny(options), batch)).toThrow(rule)
  })
})
