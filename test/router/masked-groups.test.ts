import { biasedLogitRouter, multiplicativeRouter, type RouterConfig, route, routeInPrecision } from 'moesim'
import { describe, expect, test } from 'vitest'
import { withoutWebAssembly } from '../kernels/plain.js'
import { naiveRoute } from './naive-route.js'
import { type RouteCase, routeCase } from './route-cases.js'
import { run } from './run.js'

const router: RouterConfig = {
  numExperts: 8,
  topK: 2,
  scoreFunction: 'sigmoid',
  normalize: true,
  scale: 1,
  numGroups: 4,
  topGroups: 2,
}
const no = -Infinity

/** What every way to a selection by groups makes of one token. */
function everyWay(logits: number[], config: RouterConfig): number[][] {
  const row = Float32Array.from(logits)
  const batch = { tokens: 1, logits: row }
  const ways = [
    () => route(row, config),
    () => withoutWebAssembly(() => route(row, config)),
    () => routeInPrecision(row, config, { keys: 'bf16' }),
    () => routeInPrecision(row, config, { keys: 'fp8-e4m3' }),
    () => run(biasedLogitRouter(config), batch),
    () => run(multiplicativeRouter(config), batch, { bias: new Float32Array(logits.length).fill(1) }),
    () => naiveRoute(row, config),
  ]
  return ways.map((way) => [...way().experts])
}

describe('groups of which some experts are masked', () => {
  test.each<[string, number[], number[]]>([
    ['half of every group, then the best are kept', [1, no, 2, no, 3, no, 4, no], [6, 4]],
    ['whole groups come first, however bad', [-2, -2.5, 9, no, no, 8, -3, -4], [0, 1]],
    ['one whole group, then the best other', [-2, -2.5, no, 1, no, 3, no, no], [5, 0]],
    ['one whole group, then the lower of equals', [no, 1, -2, -2.5, 1, no, no, no], [1, 2]],
    ['a group without an open expert is not kept', [no, no, no, 1, no, no, no, no], [3, -1]],
    ['padding', Array(8).fill(no), [-1, -1]],
  ])('%s', (_, logits, experts) => {
    for (const way of everyWay(logits, router)) expect(way).toEqual(experts)
  })

  test('more open experts come first, then the sum of those', () => {
    const wide = { ...router, numExperts: 12, topK: 3, numGroups: 3, groupScoreTop: 4 }
    const logits = [5, no, no, no, 1, 0, no, no, no, 2, -1.5, no]
    for (const way of everyWay(logits, { ...wide, topGroups: 1 })) expect(way).toEqual([4, 5, -1])
    for (const way of everyWay(logits, { ...wide, topGroups: 2 })) expect(way).toEqual([9, 4, 5])
  })

  test('a sum that overflows to −∞ keeps no group out', () => {
    const afterTopK: RouterConfig = { ...router, scoreFunction: 'softmax', softmaxOrder: 'afterTopK' }
    const logits = Float32Array.from({ length: 8 }, (_, e) => -3e38 + e * 1e36)
    const routings = [
      route(logits, afterTopK),
      withoutWebAssembly(() => route(logits, afterTopK)),
      run(biasedLogitRouter(router), { tokens: 1, logits }),
    ]
    for (const { experts } of routings) expect([...experts]).toEqual([7, 6])
  })

  test('all ways agree with the plain reference', () => {
    let unfilled = 0
    const cases: RouteCase[] = Array.from({ length: 400 }, (_, seed) => routeCase(seed, 2000))
    for (const { name, logits, router: config, bias } of cases) {
      if ((config.numGroups ?? 1) < 2) continue
      const naive = naiveRoute(logits, config, bias).experts
      const stations = routeInPrecision(logits, config, { weights: 'bf16' }, bias).experts
      const twin = withoutWebAssembly(() => route(logits, config, bias)).experts
      expect([name, stations]).toEqual([name, naive])
      expect([name, twin]).toEqual([name, naive])
      expect([name, route(logits, config, bias).experts]).toEqual([name, naive])
      unfilled += Number(naive.includes(-1))
    }
    expect(unfilled).toBeGreaterThan(3)
  })
})
