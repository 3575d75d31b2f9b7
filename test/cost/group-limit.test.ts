import fc from 'fast-check'
import {
  contiguousRanks,
  expectedBytesPerToken,
  expectedGroupsTouched,
  expectedStraggler,
  expertParallelDecode,
  forcedBias,
  gaussianStraggler,
  groupsTouched,
  groupsTouchedChances,
  hardware,
  linearPlacement,
  loadOf,
  loadsOnRanks,
  memoryOf,
  overReplicas,
  type Placement,
  placeExperts,
  placementOf,
  presets,
  type RouterConfig,
  type Routing,
  randomRouting,
  roundRobinPlacement,
  route,
  sentTokens,
  stageTraffic,
  stragglerFactor,
  streams,
} from 'moesim'
import { describe, expect, test } from 'vitest'
import { run } from '../router/run.js'
import { distance } from './fair.js'
import { neededBy } from './needed.js'

// DeepSeek-V3 keeps 4 of 8 groups by the sum of their two best experts, DeepSeek-V2 3 of 8 by their best one.
const v3 = { numExperts: 256, topK: 8, numGroups: 8, topGroups: 4 } as const
const v2 = { numExperts: 160, topK: 6, numGroups: 8, topGroups: 3 } as const
const scored = { scoreFunction: 'sigmoid', normalize: true, scale: 1 } as const
const routers: Record<string, RouterConfig> = {
  'DeepSeek-V3': { ...v3, ...scored, groupScoreTop: 2 },
  'DeepSeek-V2': { ...v2, ...scored, groupScoreTop: 1 },
}

const total = (values: ArrayLike<number>): number => Array.from(values).reduce((sum, value) => sum + value, 0)
const largest = (values: ArrayLike<number>): number => Math.max(...Array.from(values))
const sizesOf = ({ numExperts, topK, numGroups, topGroups }: RouterConfig) => ({
  ...{ numExperts, topK, numGroups: numGroups as number, topGroups: topGroups as number },
})

/** Every set of K of n things. */
function* sets(n: number, k: number, from = 0): Generator<number[]> {
  if (k === 0) yield []
  else for (let i = from; i <= n - k; i++) for (const rest of sets(n, k - 1, i + 1)) yield [i, ...rest]
}

describe('the law of a limit', () => {
  const weights = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 8, maxLength: 8 })
  const spare = fc.array(fc.nat(7), { minLength: 4, maxLength: 4 })

  test.each([
    [4, 2, 3],
    [4, 2, 4],
    [4, 3, 5],
    [2, 1, 2],
    [8, 2, 2],
  ])(
    '%d groups, of which %d are kept, and %d draws: the chances are those of all sets and copies, counted',
    (numGroups, topGroups, topK) => {
      fc.assert(
        fc.property(weights, spare, (weight, copies) => {
          const touched = (set: readonly number[]): number =>
            new Set(set.map((e) => Math.floor((e * numGroups) / 8))).size
          const all = [...sets(8, topK)].map((set) => ({
            set,
            groups: touched(set),
            weight: set.reduce((product, e) => product * weight[e], 1),
          }))
          const of = (which: (groups: number) => boolean): number =>
            total(all.map(({ groups, weight }) => (which(groups) ? weight : 0)))
          // What would touch more groups touches as many as it may.
          const full = of((groups) => groups >= topGroups) / of((groups) => groups === topGroups)
          const placement = placementOf([...copies, 0, 1, 2, 3, 4, 5, 6, 7], 8) // 4 ranks of 3 slots
          const load = new Float64Array(8)
          const needed = new Float64Array(4)
          for (const { set, groups, weight } of all) {
            if (groups > topGroups) continue
            const chance = (weight * (groups === topGroups ? full : 1)) / of(() => true)
            for (const e of set) load[e] += chance
            for (const [rank, need] of neededBy(set, placement, 4).entries()) needed[rank] += chance * need
          }
          const setup = { topK, ranks: 4, numGroups, topGroups, placements: [placement] }
          const [{ chances }] = loadsOnRanks([load], setup).layers
          for (const [rank, chance] of chances.entries()) expect(chance).toBeCloseTo(needed[rank], 7)
        }),
        { numRuns: 30 },
      )
    },
  )

  const grouped = fc
    .record({ numGroups: fc.integer({ min: 1, max: 8 }), size: fc.integer({ min: 1, max: 8 }) })
    .chain(({ numGroups, size }) =>
      fc.integer({ min: 1, max: numGroups }).chain((topGroups) =>
        fc.record({
          numExperts: fc.constant(numGroups * size),
          numGroups: fc.constant(numGroups),
          topGroups: fc.constant(topGroups),
          topK: fc.integer({ min: 1, max: Math.min(10, topGroups * size) }),
        }),
      ),
    )

  test('equal loads on as many ranks as groups touch as many as groupsTouchedChances tells', () => {
    fc.assert(
      fc.property(grouped, (sizes) => {
        const { numExperts, numGroups, topGroups, topK } = sizes
        const found = loadsOnRanks([new Float64Array(numExperts)], {
          ...{ topK, numGroups, topGroups },
          ranks: numGroups,
        })
        const chances = groupsTouchedChances({ numExperts, topK, groups: numGroups, topGroups })
        const mean = chances.reduce((sum, chance, touched) => sum + chance * touched, 0)
        expect(found.ranksPerToken).toBeCloseTo(mean, 10)
        for (const chance of found.layers[0].chances) expect(chance).toBeCloseTo(mean / numGroups, 10)
      }),
    )
  })

  test('nothing is lost: a rank of its own for each expert is needed as often as the expert, and one for all always', () => {
    for (const std of [0, 0.5, 1.5]) {
      const load = loadOf(run(forcedBias(routers['DeepSeek-V3'], std), { tokens: 2000 }, bias256))
      const each = loadsOnRanks([load], { ...limitOf(v3), ranks: 256 }).layers[0]
      for (const [e, chance] of each.chances.entries()) expect(chance).toBeCloseTo(each.slotChances[e], 9)
      expect(loadsOnRanks([load], { ...limitOf(v3), ranks: 1 }).ranksPerToken).toBeCloseTo(1, 12)
    }
  })

  test('of loads of few tokens, at the edge of what a limit allows, to a hundredth of a draw', () => {
    for (const tokens of [1, 2, 5, 20]) {
      const load = loadOf(run(forcedBias(routers['DeepSeek-V3'], 2), { tokens }, bias256))
      const [{ chances, slotChances }] = loadsOnRanks([load], { ...limitOf(v3), ranks: 256 }).layers
      for (const [e, chance] of chances.entries())
        expect(Math.abs(chance - slotChances[e])).toBeLessThan(0.01)
    }
  })

  test('groups that keep a token from nothing are none', () => {
    const load = Float64Array.from({ length: 16 }, (_, e) => 1 + (e % 5))
    const free = loadsOnRanks([load], { topK: 3, ranks: 8 })
    expect(free).toMatchObject({ numGroups: 1, topGroups: 1 })
    for (const groups of [
      { numGroups: 1, topGroups: 1 },
      { numGroups: 4, topGroups: 4 },
      { numGroups: 8, topGroups: 3 },
    ]) {
      expect(loadsOnRanks([load], { topK: 3, ranks: 8, ...groups })).toEqual(free)
      const sizes = { numExperts: 16, topK: 3, ranks: 2, tokens: 64 }
      expect(expectedStraggler({ ...sizes, ...groups })).toBe(expectedStraggler(sizes))
      const touched = { numExperts: 16, topK: 3, groups: 2 }
      expect(expectedGroupsTouched({ ...touched, ...groups })).toBe(expectedGroupsTouched(touched))
    }
  })

  test('what does not fit is refused', () => {
    const load = new Float64Array(16).fill(1)
    const at = { topK: 4, ranks: 4 }
    expect(() => loadsOnRanks([load], { ...at, numGroups: 3 })).toThrow(
      'loadsOnRanks: numExperts must be a multiple of numGroups = 3',
    )
    expect(() => loadsOnRanks([load], { ...at, numGroups: 4, topGroups: 5 })).toThrow(
      'loadsOnRanks: topGroups must be a whole number from 1 to 4, got 5',
    )
    expect(() => loadsOnRanks([load], { ...at, topK: 5, numGroups: 4, topGroups: 1 })).toThrow(
      'loadsOnRanks: topK must be a whole number from 1 to 4, got 5',
    )
    const spread = Float64Array.from(load, (_, e) => (e % 4 === 0 ? 1 : 0)) // one expert of each group, always
    expect(() => loadsOnRanks([load, spread], { ...at, numGroups: 4, topGroups: 2 })).toThrow(
      'loadsOnRanks: tokens of loads[1] must need no more than 2 of 4 groups each, got 4. Name the model that was measured.',
    )
    expect(() =>
      loadsOnRanks([new Float64Array(4096)], { topK: 256, ranks: 4, numGroups: 4, topGroups: 2 }),
    ).toThrow('numGroups times topGroups times the square of topK must be at most 2^18, got 524288')
    expect(() => groupsTouchedChances({ ...v3, groups: 16 })).toThrow(
      'groupsTouchedChances: numGroups must be groups = 16, or left out, got 8. See expectedGroupsTouched',
    )
  })
})

const bias256 = { bias: new Float32Array(256) }
const limitOf = ({ topK, numGroups, topGroups }: typeof v3 | typeof v2) => ({ topK, numGroups, topGroups })

/** [R] the share of tokens that need each rank, counted. */
function counted(routing: Routing, placement: Placement, ranks: number): Float64Array {
  const { tokens } = routing
  const slots = placement.experts.length
  const map = { ranks, expertRank: contiguousRanks(slots, ranks), tokenRank: new Int32Array(tokens) }
  return Float64Array.from(
    sentTokens(overReplicas(routing, placement), map).subarray(0, ranks),
    (n) => n / tokens,
  )
}

// Bounds of the model, as its docstrings state them; 20,000 tokens count a mean of ranks to 0.1 % (one standard error).
describe.each(Object.entries(routers))('%s against routings of gaussian logits, counted', (_, router) => {
  const { numExperts } = router
  const bias = new Float32Array(numExperts)
  const sizes = sizesOf(router)

  test('fair: ranks within 1.5 %, within 0.6 % where they are groups or hold whole ones', () => {
    const routing = run(randomRouting(router), { tokens: 20000 }, { bias })
    for (const ranks of [2, 4, 5, 8, 16, 20, 32, 64]) {
      if (numExperts % ranks !== 0) continue
      const mean = total(groupsTouched(routing, contiguousRanks(numExperts, ranks))) / 20000
      const off = Math.abs(expectedGroupsTouched({ ...sizes, groups: ranks }) / mean - 1)
      expect(off).toBeLessThan(8 % ranks === 0 ? 0.006 : 0.015)
    }
  })

  /** Independent noise, a bias of each expert and one of each group. */
  const biased = (ofExperts: number, ofGroups: number): Routing => {
    const draws = streams(1)('biased')
    const offsets = Float64Array.from({ length: numExperts }, () => ofExperts * draws.normal())
    const common = Float64Array.from({ length: sizes.numGroups }, () => ofGroups * draws.normal())
    const logits = Float32Array.from({ length: 20000 * numExperts }, (_, i) => {
      const e = i % numExperts
      return draws.normal() + offsets[e] + common[Math.floor((e * sizes.numGroups) / numExperts)]
    })
    return route(logits, router)
  }

  test.each([
    { ofExperts: 0.3, ofGroups: 0, each: 0.04, busiest: 0.04, sum: 0.02 },
    { ofExperts: 1, ofGroups: 0, each: 0.04, busiest: 0.04, sum: 0.02 },
    { ofExperts: 2, ofGroups: 0, each: 0.04, busiest: 0.04, sum: 0.02 },
    { ofExperts: 0.3, ofGroups: 0.5, each: 0.05, busiest: 0.06, sum: 0.035 },
    { ofExperts: 0, ofGroups: 1, each: 0.05, busiest: 0.06, sum: 0.035 },
  ])(
    'a bias of standard deviation $ofExperts of each expert, $ofGroups of each group: ranks within $each, their sum within $sum of it',
    ({ ofExperts, ofGroups, each, busiest, sum }) => {
      const routing = biased(ofExperts, ofGroups)
      const load = loadOf(routing)
      for (const ranks of [2, 4, 8, 16, 32]) {
        const spread = { replicas: numExperts, ranks }
        for (const placement of [
          linearPlacement(load, spread),
          roundRobinPlacement(load, spread),
          placeExperts(load, { replicas: numExperts + ranks, ranks }),
        ]) {
          const { topK, numGroups, topGroups } = sizes
          const setup = { topK, numGroups, topGroups, ranks, placements: [placement] }
          const { layers, ranksPerToken } = loadsOnRanks([load], setup)
          const real = counted(routing, placement, ranks)
          for (const [rank, chance] of layers[0].chances.entries())
            expect(Math.abs(chance - real[rank])).toBeLessThan(each)
          expect(Math.abs(largest(layers[0].chances) / largest(real) - 1)).toBeLessThan(busiest)
          expect(Math.abs(ranksPerToken / total(real) - 1)).toBeLessThan(sum)
        }
      }
    },
  )

  test('the straggler of fair routing within 0.6 % and 3 standard errors', () => {
    for (const tokens of [64, 512]) {
      const loads = Array.from({ length: 200 }, (_, seed) =>
        loadOf(run(randomRouting(router), { tokens }, { bias, seed })),
      )
      for (const ranks of [4, 8, 16, 32]) {
        const factors = loads.map((load) =>
          stragglerFactor(load, linearPlacement(load, { replicas: numExperts, ranks }), ranks),
        )
        const expected = expectedStraggler({ ...sizes, tokens, ranks })
        expect(distance(0.994 * expected, factors)).toBeGreaterThan(-3)
        expect(distance(1.006 * expected, factors)).toBeLessThan(3)
        // Without the limit it is far too low where ranks are groups.
        const free = { numExperts, topK: sizes.topK, tokens, ranks }
        if (ranks === 8) expect(distance(expectedStraggler(free), factors)).toBeGreaterThan(5)
        expect(gaussianStraggler({ ...sizes, tokens, ranks })).toBeGreaterThan(gaussianStraggler(free))
      }
    }
  })
})

describe('a model with a limit', () => {
  const model = memoryOf(presets['deepseek-v3'], { weights: 'fp8', keyValues: 'fp8' })
  const at = {
    model,
    hardware: { ...hardware.h800, latencySeconds: 0 },
    contextTokens: 1024,
    batchPerRank: 64,
    activations: 'fp8',
    dispatch: 'fp8',
    combine: 'bf16',
  } as const

  test('has it in its memory, one without has not', () => {
    expect(model.experts[0]).toMatchObject(v3)
    expect(memoryOf(presets['qwen3-30b-a3b']).experts[0]).not.toHaveProperty('numGroups')
  })

  test('sends a token to no more ranks than it may use groups: 3.98 of 8, counted 3.96', () => {
    expect(expectedGroupsTouched({ ...v3, groups: 8 })).toBeCloseTo(3.98, 2)
    const [layer] = model.experts
    const { numGroups: _, topGroups: __, ...free } = layer
    const seconds = (experts: typeof model.experts): number =>
      expertParallelDecode({ ...at, model: { ...model, experts }, ranks: 8 }).communicationSeconds
    const ranksOf = (sizes: object): number =>
      expectedGroupsTouched({ numExperts: 256, topK: 8, groups: 8, ...sizes })
    expect(seconds([layer]) / seconds([free])).toBeCloseTo(ranksOf(v3) / ranksOf({}), 12)
  })

  test('equal loads are fair routing, on ranks that cut groups, too', () => {
    const uneven = { ...model, experts: [{ ...model.experts[0], ...v2 }] }
    for (const ranks of [1, 2, 5, 8, 10, 16, 32, 160]) {
      const measured = loadsOnRanks([new Float64Array(160).fill(7)], { ...limitOf(v2), ranks })
      const fair = expertParallelDecode({ ...at, model: uneven, ranks, stragglerFactor: 1 })
      const found = expertParallelDecode({ ...at, model: uneven, ranks, measured })
      for (const [field, value] of Object.entries(fair))
        expect(Math.abs(found[field as keyof typeof found] - value)).toBeLessThanOrEqual(1e-12 * value)
    }
  })

  test('refuses loads that were put on ranks without it, and one without refuses those with it', () => {
    const load = new Float64Array(256).fill(1)
    const without = loadsOnRanks([load], { topK: 8, ranks: 8 })
    expect(() => expertParallelDecode({ ...at, ranks: 8, measured: without })).toThrow(
      'expertParallelDecode: numGroups of measured must be 8, got 1. Give loadsOnRanks those of this model',
    )
    const { numGroups: _, topGroups: __, ...free } = model.experts[0]
    const measured = loadsOnRanks([load], { ...limitOf(v3), ranks: 8 })
    expect(() =>
      expertParallelDecode({ ...at, model: { ...model, experts: [free] }, ranks: 8, measured }),
    ).toThrow('expertParallelDecode: numGroups of measured must be 1, got 8.')
  })

  test('has its traffic in training, too', () => {
    const alone = { tensor: 1, context: 1, pipeline: 1, expert: 1, data: 1 }
    const [{ expertBytes }] = stageTraffic(
      presets['deepseek-v3'],
      { ...alone, data: 8, expert: 8 },
      { tokens: 64 },
    )
    const vector = { width: 7168, dispatch: 'bf16', combine: 'bf16' } as const
    const layers = model.experts[0].layers
    expect(expertBytes / (64 * layers * expectedBytesPerToken({ ...v3, groups: 8, ...vector }))).toBeCloseTo(
      1,
      12,
    )
    expect(expectedBytesPerToken({ ...v3, groups: 8, ...vector })).toBeCloseTo(3.983 * (7 / 8) * 4 * 7168, -2)
  })
})
