import { InputError, multiplicativeRouter, noBalance, type RouterConfig, route, sigmoid } from 'moesim'
import { describe, expect, test } from 'vitest'
import { normalRows, ofLogits, run } from './run.js'

const router: RouterConfig = { numExperts: 4, topK: 2, scoreFunction: 'sigmoid', normalize: true, scale: 2 }
const ones = new Float32Array(4).fill(1)

describe('multiplicativeRouter', () => {
  test('with a bias of 1 is the plain router, bit for bit, groups included', () => {
    const logits = normalRows(50, 4)
    for (const change of [{}, { numGroups: 2, topGroups: 1 }, { scoreFunction: 'softmax' as const }]) {
      const config = { ...router, ...change }
      expect(run(multiplicativeRouter(config), { tokens: 50, logits }, { bias: ones })).toEqual(
        route(logits, config),
      )
    }
  })

  test('selects by score · bias and weighs by the score alone', () => {
    const bias = Float32Array.of(0.7, 1, 1, 1.9)
    const { experts, weights } = run(multiplicativeRouter(router), ofLogits(4, 3, 1, 0, -0.5), { bias })
    expect([...experts]).toEqual([1, 3]) // keys 0.667, 0.731, 0.5 and 0.717; sums would choose 3 before 1
    const total = sigmoid(-0.5) + sigmoid(1)
    expect(weights[1]).toBeCloseTo((2 * sigmoid(-0.5)) / total, 6)
    expect(weights[0]).toBeCloseTo((2 * sigmoid(1)) / total, 6)
  })

  test('never chooses a masked expert, whatever its factor', () => {
    const bias = Float32Array.of(1e9, 1, 1, 1)
    const batch = ofLogits(4, -Infinity, 1, 0, -0.5)
    expect([...run(multiplicativeRouter(router), batch, { bias }).experts]).toEqual([1, 2])
  })

  test('refuses factors that are not above 0, such as those of noBalance, and scores that may be negative', () => {
    const batch = ofLogits(4, 1, 2, 3, 4)
    const zero = noBalance.bias(noBalance.init(4))
    expect(() => run(multiplicativeRouter(router), batch, { bias: zero })).toThrow(
      'the bias of expert 0 must be',
    )
    for (const bad of [-1, 0, Number.NaN, Infinity]) {
      const bias = Float32Array.of(1, 1, bad, 1)
      expect(() => run(multiplicativeRouter(router), batch, { bias })).toThrow('the bias of expert 2 must be')
    }
    const after = { ...router, scoreFunction: 'softmax', softmaxOrder: 'afterTopK' } as const
    expect(() => multiplicativeRouter(after)).toThrow(InputError)
  })
})
