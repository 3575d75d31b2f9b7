import fc from 'fast-check'
import { biasedLogitRouter, type RouterConfig, route, routeAt, streams, topK } from 'moesim'
import { describe, expect, test } from 'vitest'

const context = { step: 0, layer: 0, tokens: 0, random: streams(0) }
const config: RouterConfig = { numExperts: 5, topK: 2, scoreFunction: 'sigmoid', normalize: true, scale: 2.5 }
const kinds: RouterConfig[] = [
  config,
  { ...config, scoreFunction: 'sqrtsoftplus' },
  { ...config, scoreFunction: 'softmax' },
  { ...config, scoreFunction: 'softmax', softmaxOrder: 'afterTopK' },
]
const logitsOf = (tokens: number): fc.Arbitrary<Float32Array> =>
  fc.float32Array({ minLength: tokens * 5, maxLength: tokens * 5, min: -20, max: 20, noNaN: true })

describe('a bias on the logits', () => {
  test('selects by float32(logit + bias) and weighs by the scores alone', () => {
    const bias = fc.float32Array({ minLength: 5, maxLength: 5, min: -5, max: 5, noNaN: true })
    fc.assert(
      fc.property(logitsOf(3), bias, fc.constantFrom(...kinds), (logits, offsets, kind) => {
        const { scores, ...routing } = biasedLogitRouter(kind)({ tokens: 3, logits }, offsets, context)
        const keys = logits.map((logit, i) => logit + offsets[i % 5])
        expect(routing).toEqual(routeAt(logits, topK(keys, 5, 2), kind))
        expect(scores).toBe(logits)
      }),
    )
  })

  test('of 0 routes softmax after top-k as route does', () => {
    const logits = Float32Array.of(0.5, -1, 2, 1.5, 0, 3, 2, Number.NEGATIVE_INFINITY, 1, 0)
    const { scores: _, ...routing } = biasedLogitRouter(kinds[3])(
      { tokens: 2, logits },
      new Float32Array(5),
      context,
    )
    expect(routing).toEqual(route(logits, kinds[3]))
  })

  test('counts for groups too, which route refuses for this softmax', () => {
    const grouped: RouterConfig = {
      ...kinds[3],
      numExperts: 4,
      topK: 1,
      numGroups: 2,
      topGroups: 1,
      groupScoreTop: 1,
    }
    const logits = Float32Array.of(1, 0, 0.5, 0.4)
    const router = biasedLogitRouter(grouped)
    expect([...router({ tokens: 1, logits }, new Float32Array(4), context).experts]).toEqual([0])
    expect([...router({ tokens: 1, logits }, Float32Array.of(0, 0, 0, 1), context).experts]).toEqual([3])
  })

  test('leaves a masked expert out, whatever the bias', () => {
    const logits = Float32Array.of(Number.NEGATIVE_INFINITY, 0, 1, 2, 3)
    const { experts } = biasedLogitRouter(config)(
      { tokens: 1, logits },
      Float32Array.of(1e9, 0, 0, 0, 0),
      context,
    )
    expect([...experts]).toEqual([4, 3])
  })

  test.each<[object, Float32Array, string]>([
    [{ tokens: 1 }, new Float32Array(5), 'biasedLogitRouter: the batch must have logits'],
    [
      { tokens: 1, logits: new Float32Array(5) },
      new Float32Array(4),
      'bias must be a Float32Array of numExperts = 5',
    ],
    [
      { tokens: 1, logits: new Float32Array(5) },
      new Float32Array(5).fill(Number.NaN),
      'biasedLogitRouter: the bias of expert 0 must be finite',
    ],
  ])('refuses %o', (batch, bias, message) => {
    expect(() => biasedLogitRouter(config)(batch as { tokens: number }, bias, context)).toThrow(message)
  })
})
