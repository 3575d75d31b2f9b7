import fc from 'fast-check'
import { imbalanceScore, loadOf, moge, type RouterConfig, route } from 'moesim'
import { describe, expect, test } from 'vitest'
import { rowsOf } from '../routings.js'
import { normalRows, ofLogits, run } from './run.js'

const router: RouterConfig = {
  numExperts: 8,
  topK: 4,
  scoreFunction: 'softmax',
  normalize: false,
  scale: 1,
  numGroups: 2,
}

/** Load of each group of experts. */
const groupLoad = (load: Int32Array, groups: number): number[] =>
  Array.from({ length: groups }, (_, group) =>
    load
      .subarray((group * load.length) / groups, ((group + 1) * load.length) / groups)
      .reduce((sum, n) => sum + n, 0),
  )

describe('moge', () => {
  test('takes the best K / G of each group, weighed by the softmax over all experts, best first', () => {
    const batch = ofLogits(8, 9, 8, 7, 6, 1, 4, 2, 3)
    const { experts, weights } = run(moge(router), batch)
    expect([...experts]).toEqual([0, 1, 5, 7])
    const all = route(batch.logits!, { ...router, topK: 8, numGroups: 1 })
    for (const [slot, expert] of experts.entries())
      expect(weights[slot]).toBe(all.weights[all.experts.indexOf(expert)])
  })

  test('gives every group exactly the same load, for any logits and biases: an imbalance score of 0', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(1, 2, 4),
        fc.integer({ min: 1, max: 2 }),
        fc.integer({ min: 0, max: 20 }),
        fc.nat(),
        (numGroups, perGroup, tokens, seed) => {
          const logits = normalRows(tokens, 8, seed)
          const bias = normalRows(1, 8, seed + 1)
          const config = { ...router, numGroups, topK: numGroups * perGroup }
          const routing = run(moge(config), { tokens, logits }, { bias })
          const loads = groupLoad(loadOf(routing), numGroups)
          expect(loads).toEqual(new Array(numGroups).fill(tokens * perGroup))
          expect(imbalanceScore(loads, tokens)).toBe(0)
          for (const row of rowsOf(routing)) expect(new Set(row).size).toBe(config.topK)
        },
      ),
    )
  })

  test('with one group is plain top-k, bit for bit', () => {
    const logits = normalRows(50, 8)
    const bias = normalRows(1, 8, 9).map((value) => value / 8)
    const one = { ...router, numGroups: 1 }
    expect(run(moge(one), { tokens: 50, logits }, { bias })).toEqual(route(logits, one, bias))
  })

  test('selects by score + bias; a masked expert leaves a slot of its group empty', () => {
    const batch = ofLogits(8, 9, 8, 7, 6, 1, 4, 2, 3)
    const bias = Float32Array.of(0, 0, 0, 2, 0, 0, 0, 0)
    expect([...run(moge(router), batch, { bias }).experts]).toEqual([3, 0, 5, 7])
    const masked = -Infinity
    const few = ofLogits(8, masked, masked, masked, 1, 4, 3, 2, 1)
    expect([...run(moge(router), few).experts]).toEqual([4, 5, 3, -1])
    expect(run(moge(router), few).weights[3]).toBe(0)
  })

  test.each([
    ['a K that groups do not divide', { topK: 3 }, 'moge: topK must be a multiple of numGroups = 2'],
    ['groups that are left out', { topGroups: 1 }, 'moge: all groups must be kept'],
    [
      'softmax over the selected',
      { softmaxOrder: 'afterTopK' },
      'moge: scores must be taken over all experts',
    ],
  ] as const)('refuses %s', (_, change, rule) => {
    expect(() => moge({ ...router, ...change })).toThrow(rule)
  })
})
