import {
  chanceOf,
  forcedBias,
  InputError,
  loadOf,
  maskPadding,
  maxViolation,
  type RouterConfig,
  randomRouting,
  roundRobin,
  routeAt,
} from 'moesim'
import { describe, expect, test } from 'vitest'
import { rowsOf } from '../routings.js'
import { fiveErrors, normalRows, run, runScored, sharesOf } from './run.js'

const router: RouterConfig = { numExperts: 8, topK: 3, scoreFunction: 'sigmoid', normalize: true, scale: 1 }

describe('roundRobin', () => {
  test('deals the experts out in turn, and gathers their real scores', () => {
    const logits = normalRows(3, 8)
    const routing = run(roundRobin(router), { tokens: 3, logits }, { bias: new Float32Array(8).fill(5) })
    expect(rowsOf(routing)).toEqual([
      [0, 1, 2],
      [3, 4, 5],
      [6, 7, 0],
    ])
    expect(routing).toEqual(routeAt(logits, routing.experts, router))
  })

  test('is exact where E divides T · K, and within 1 elsewhere; it needs no logits', () => {
    expect(new Set(loadOf(run(roundRobin(router), { tokens: 16 })))).toEqual(new Set([6]))
    const load = loadOf(run(roundRobin(router), { tokens: 9 }))
    expect(Math.max(...load) - Math.min(...load)).toBe(1)
    expect(new Set(run(roundRobin(router), { tokens: 9 }).weights)).toEqual(new Set([Math.fround(1 / 3)]))
  })
})

test('roundRobin deals to open rows, whatever padding stands between', () => {
  const logits = maskPadding(
    normalRows(17, 8),
    Array.from({ length: 17 }, (_, token) => token % 2),
  )
  const routing = run(roundRobin(router), { tokens: 17, logits })
  expect(new Set(loadOf(routing))).toEqual(new Set([3]))
  expect(rowsOf(routing).slice(0, 4)).toEqual([
    [-1, -1, -1],
    [0, 1, 2],
    [-1, -1, -1],
    [3, 4, 5],
  ])
})

describe('randomRouting', () => {
  test('gives every expert the same chance, and the imbalance of pure chance', () => {
    const routing = run(randomRouting(router), { tokens: 8000 })
    for (const share of sharesOf(routing))
      expect(Math.abs(share - 1 / 8)).toBeLessThan(fiveErrors(1 / 8, 8000))
    for (const row of rowsOf(routing)) expect(new Set(row).size).toBe(3)
    const chance = chanceOf({ tokens: 100, numExperts: 8, topK: 3 }).maxViolation
    let mean = 0
    for (let step = 0; step < 200; step++)
      mean += maxViolation(loadOf(run(randomRouting(router), { tokens: 100 }, { step }))) / 200
    expect(Math.abs(mean / chance - 1)).toBeLessThan(0.1)
  })

  test('ignores the logits, follows the bias, and draws each step, layer and token anew', () => {
    const draw = (at: Parameters<typeof run>[2], logits?: Float32Array) =>
      run(randomRouting(router), { tokens: 20, ...(logits && { logits }) }, at)
    expect(draw({}, normalRows(20, 8))).toEqual(draw({}))
    expect(draw({ step: 1 })).not.toEqual(draw({}))
    expect(draw({ layer: 1 })).not.toEqual(draw({}))
    expect(draw({ seed: 2 })).not.toEqual(draw({}))
    const four = runScored(
      randomRouting({ ...router, numExperts: 4 }),
      { tokens: 2 },
      { bias: new Float32Array(4) },
    )
    const eight = runScored(randomRouting(router), { tokens: 2 })
    expect(eight.scores!.slice(8, 12)).toEqual(four.scores!.slice(4)) // token 1, however many experts token 0 has
    expect(run(randomRouting(router), { tokens: 5 }).experts).toEqual(draw({}).experts.slice(0, 15))
    const bias = Float32Array.of(2, 0, 0, 0, 0, 0, 0, 0)
    expect(loadOf(draw({ bias }))[0]).toBe(20)
  })

  test('keeps masked experts masked, so that padding goes nowhere', () => {
    const logits = maskPadding(new Float32Array(24), [1, 0, 1])
    logits[5] = -Infinity
    const rows = rowsOf(run(randomRouting({ ...router, topK: 7 }), { tokens: 3, logits }))
    expect(rows[0]).not.toContain(5)
    expect(rows[1]).toEqual(new Array(7).fill(-1))
    expect(rows[2]).not.toContain(-1)
  })

  test('takes softmax after top-k, with no bias moved', () => {
    const after = { ...router, scoreFunction: 'softmax', softmaxOrder: 'afterTopK' } as const
    const routing = run(randomRouting(after), { tokens: 20 })
    expect(routing.experts).toEqual(run(randomRouting(router), { tokens: 20 }).experts)
  })
})

describe('forcedBias', () => {
  test('is random routing at a std of 0, and uneven in the same way at every step above', () => {
    expect(run(forcedBias(router, 0), { tokens: 9 })).toEqual(run(randomRouting(router), { tokens: 9 }))
    const first = sharesOf(run(forcedBias(router, 1), { tokens: 4000 }))
    const later = sharesOf(run(forcedBias(router, 1), { tokens: 4000 }, { step: 9 }))
    const otherLayer = sharesOf(run(forcedBias(router, 1), { tokens: 4000 }, { layer: 1 }))
    const apart = (a: number[], b: number[]) => Math.max(...a.map((share, e) => Math.abs(share - b[e])))
    expect(apart(first, later)).toBeLessThan(0.02)
    expect(apart(first, otherLayer)).toBeGreaterThan(0.05)
  })

  test('grows more uneven with std', () => {
    const violation = (std: number) => maxViolation(loadOf(run(forcedBias(router, std), { tokens: 2000 })))
    expect(violation(0.3)).toBeGreaterThan(2 * violation(0))
    expect(violation(3)).toBeGreaterThan(violation(0.3))
  })

  test.each([-1, Number.NaN, Infinity])('refuses a std of %d', (std) => {
    expect(() => forcedBias(router, std)).toThrow(InputError)
  })
})
