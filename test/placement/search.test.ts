import { readFileSync } from 'node:fs'
import {
  dirichlet,
  loadOf,
  type PlacementPolicy,
  placeBySearch,
  placeExactly,
  placeExperts,
  randomPlacement,
  readTrace,
  shuffle,
  stragglerBound,
  stragglerFactor,
  streams,
  zipf,
} from 'moesim'
import { describe, expect, test } from 'vitest'

const trace = readTrace(readFileSync(new URL('../../examples/data/trace.safetensors', import.meta.url)))
const loads = trace.layers.map((layer) => loadOf({ ...trace, ...trace.router, ...layer, dropped: 0 }))

const measure = (load: ArrayLike<number>, policy: PlacementPolicy, ranks: number, replicas: number): string =>
  stragglerFactor(load, policy(load, { ranks, replicas }), ranks).toFixed(3)

describe('on the recorded trace, straggler factors of the three layers', () => {
  // By EPLB, then by search, without spare slots.
  test.each([
    [8, ['1.006', '1.008', '1.007'], ['1.000', '1.000', '1.000']],
    [16, ['1.015', '1.042', '1.035'], ['1.000', '1.000', '1.001']],
    [32, ['1.050', '1.132', '1.110'], ['1.001', '1.021', '1.026']],
    [64, ['1.139', '1.331', '1.292'], ['1.139', '1.331', '1.292']],
  ])('of 128 experts on %i ranks are these', (ranks, eplb, search) => {
    expect(loads.map((load) => measure(load, placeExperts, ranks, 128))).toEqual(eplb)
    expect(loads.map((load) => measure(load, placeBySearch, ranks, 128))).toEqual(search)
  })

  test('of 128 experts on 64 ranks with one spare slot each are these', () => {
    expect(loads.map((load) => measure(load, placeExperts, 64, 192))).toEqual(['1.018', '1.010', '1.007'])
    expect(loads.map((load) => measure(load, placeBySearch, 64, 192))).toEqual(['1.003', '1.001', '1.001'])
  })

  test('with two experts a rank, heaviest with lightest is the best there is: EPLB does it', () => {
    for (const load of loads) {
      const sorted = [...load].sort((a, b) => a - b)
      const best = Math.max(...sorted.slice(0, 64).map((light, i) => light + sorted[127 - i]))
      expect(measure(load, placeExperts, 64, 128)).toBe(((best * 64) / (3840 * 6)).toFixed(3))
    }
  })
})

describe('on skewed loads of 256 experts with 32 spare slots on 32 ranks, straggler factors', () => {
  const draws = streams(2)('loads')
  const dirichletOf = (concentration: number) => dirichlet(draws, new Float64Array(256).fill(concentration))
  // EPLB and search on one node; EPLB and search on 4 nodes, with 32 groups.
  test.each([
    ['Zipf 1', shuffle(draws, zipf(256, 1)), ['1.0012', '1.0003', '1.3138', '1.0014']],
    ['Zipf 0.5', shuffle(draws, zipf(256, 0.5)), ['1.0018', '1.0003', '1.0622', '1.0018']],
    ['Dirichlet 1', dirichletOf(1), ['1.0061', '1.0003', '1.0304', '1.0011']],
    ['Dirichlet 0.3', dirichletOf(0.3), ['1.0052', '1.0006', '1.0078', '1.0010']],
  ])('of %s are these', (_, load, wanted) => {
    const cluster = { replicas: 288, ranks: 32 }
    const measured = [cluster, { ...cluster, nodes: 4, groups: 32 }].flatMap((sizes) =>
      [placeExperts, placeBySearch].map((policy) =>
        stragglerFactor(load, policy(load, sizes), 32).toFixed(4),
      ),
    )
    expect(measured).toEqual(wanted)
  })

  test('without spare slots the heaviest expert sets the bound, with the lightest beside it', () => {
    const load = zipf(256, 0.5)
    const bound = stragglerBound(load, { replicas: 256, ranks: 32 })
    expect(bound).toBeCloseTo(32 * (load[0] + load.slice(-7).reduce((sum, share) => sum + share)), 12)
    expect(measure(load, placeBySearch, 32, 256)).toBe(bound.toFixed(3))
    expect(measure(load, placeExperts, 32, 256)).toBe('1.508')
  })
})

test('of 40 small skewed cases, EPLB is 4 to 7 % above the optimum on average, search below 2 %', () => {
  const draws = streams(3)('loads')
  const cluster = { replicas: 12, ranks: 4 }
  const over = { eplb: 0, search: 0 }
  for (let i = 0; i < 40; i++) {
    const load = dirichlet(draws, new Float64Array(8).fill(1))
    const straggler = (policy: PlacementPolicy) => stragglerFactor(load, policy(load, cluster), 4)
    const best = straggler(placeExactly)
    over.eplb += (straggler(placeExperts) / best - 1) / 40
    over.search += (straggler(placeBySearch) / best - 1) / 40
  }
  expect(over.eplb).toBeGreaterThan(0.04)
  expect(over.eplb).toBeLessThan(0.07)
  expect(over.search).toBeLessThan(0.02)
})

test('a random placement of random loads has the straggler factor that chance has', () => {
  // 128 experts of 192 ± 13.5 tokens on 16 ranks: the largest of 16 sums of 8, 1.766 standard deviations above the mean.
  const draws = streams(4)('loads')
  const policy = randomPlacement(draws)
  let sum = 0
  for (let i = 0; i < 400; i++) {
    const load = Float64Array.from({ length: 128 }, () => 192 + 13.5 * draws.normal())
    sum += stragglerFactor(load, policy(load, { replicas: 128, ranks: 16 }), 16)
  }
  const expected = 1 + (1.766 * 13.5) / (192 * Math.sqrt(8))
  expect(sum / 400).toBeGreaterThan(expected - 0.003)
  expect(sum / 400).toBeLessThan(expected + 0.003)
})

test('nothing to balance is left as EPLB places it', () => {
  const cluster = { replicas: 8, ranks: 4, nodes: 2, groups: 2 }
  for (const load of [new Array(8).fill(0), new Array(8).fill(3)])
    expect(placeBySearch(load, cluster).experts).toEqual(placeExperts(load, cluster).experts)
})

test('more slots than a search gets through are refused; EPLB takes four times as many, and no more', () => {
  const load = Float64Array.from({ length: 128 }, (_, e) => e + 1)
  expect(() => placeBySearch(load, { replicas: 1 << 15, ranks: 1 << 14 })).toThrow(
    'placeBySearch: replicas must be a whole number from 1 to 16384, got 32768. Use placeExperts',
  )
  const most = { replicas: 1 << 16, ranks: 1 << 15 }
  expect(stragglerFactor(load, placeExperts(load, most), most.ranks)).toBeLessThan(1.01)
  expect(() => placeExperts(load, { replicas: 1 << 17, ranks: 1 << 15 })).toThrow(
    'placeExperts: replicas must be a whole number from 128 to 65536, got 131072',
  )
})
