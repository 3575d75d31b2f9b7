import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import {
  allToAllSeconds,
  contiguousRanks,
  type ExpertParallelDecode,
  expectedGroupsTouched,
  expertParallelDecode,
  forcedBias,
  hardware,
  type LayerOnRanks,
  linearPlacement,
  loadOf,
  loadsOnRanks,
  overReplicas,
  type Placement,
  placeExperts,
  placementOf,
  type Routing,
  readTrace,
  roundRobinPlacement,
  sentTokens,
  stragglerFactor,
  trafficOf,
} from 'moesim'
import { describe, expect, test } from 'vitest'
import { dataFile } from '../cli/terminal.js'
import { run } from '../router/run.js'
import { nano } from './models.js'
import { neededBy } from './needed.js'

const total = (values: ArrayLike<number>): number => Array.from(values).reduce((sum, value) => sum + value, 0)
const largest = (values: ArrayLike<number>): number => Math.max(...Array.from(values))

/** Every set of K of n things. */
function* sets(n: number, k: number, from = 0): Generator<number[]> {
  if (k === 0) yield []
  else for (let i = from; i <= n - k; i++) for (const rest of sets(n, k - 1, i + 1)) yield [i, ...rest]
}

/** Sizes whose experts spread evenly, up to 12 ranks. */
const even = fc
  .record({ ranks: fc.integer({ min: 1, max: 12 }), each: fc.integer({ min: 1, max: 12 }) })
  .chain(({ ranks, each }) =>
    fc.record({
      ranks: fc.constant(ranks),
      numExperts: fc.constant(ranks * each),
      topK: fc.integer({ min: 1, max: Math.min(ranks * each, 10) }),
    }),
  )

/** The loads of some tokens, each of which chooses different experts. */
const skewed = even.chain(({ ranks, numExperts, topK }) => {
  const experts = Array.from({ length: numExperts }, (_, e) => e)
  const token = fc.shuffledSubarray(experts, { minLength: topK, maxLength: topK })
  return fc.array(token, { minLength: 1, maxLength: 30 }).map((tokens) => {
    const load = new Float64Array(numExperts)
    for (const e of tokens.flat()) load[e]++
    return { ranks, topK, load }
  })
})

describe('measured loads on ranks', () => {
  test('equal loads, and none, are fair routing', () => {
    fc.assert(
      fc.property(even, fc.nat(1000), ({ ranks, numExperts, topK }, count) => {
        const load = new Float64Array(numExperts).fill(count)
        const { layers, ...ratios } = loadsOnRanks([load], { topK, ranks })
        const touched = expectedGroupsTouched({ numExperts, topK, groups: ranks })
        for (const chance of layers[0].chances) expect(chance / (touched / ranks)).toBeCloseTo(1, 12)
        expect(ratios.ranksPerToken / touched).toBeCloseTo(1, 12)
        expect([ratios.stragglerFactor, ratios.busiestPort].map((ratio) => ratio.toFixed(12))).toEqual([
          '1.000000000000',
          '1.000000000000',
        ])
        expect(ratios).toMatchObject({ numExperts, topK, ranks, slots: numExperts })
      }),
    )
  })

  test('nothing is lost: slots have K choices of a token, ranks the load; no rank is needed by less than one expert is', () => {
    fc.assert(
      fc.property(skewed, ({ load, topK, ranks }) => {
        const found = loadsOnRanks([load], { topK, ranks })
        const [{ chances, slotChances, load: rankLoad }] = found.layers
        expect(total(slotChances)).toBeCloseTo(topK, 10)
        expect(total(rankLoad)).toBeCloseTo(total(load), 8)
        for (const [rank, chance] of chances.entries()) {
          const own = slotChances.subarray((rank * load.length) / ranks, ((rank + 1) * load.length) / ranks)
          expect(chance).toBeGreaterThanOrEqual(largest(own) - 1e-10)
          expect(chance).toBeLessThanOrEqual(Math.min(1, total(own)) + 1e-10)
        }
        const linear = linearPlacement(load, { replicas: load.length, ranks })
        expect(found.stragglerFactor).toBeCloseTo(stragglerFactor(load, linear, ranks), 12)
      }),
    )
  })

  test('a rank of its own for each expert is needed as often as the expert, and one for all always', () => {
    fc.assert(
      fc.property(skewed, ({ load, topK }) => {
        const each = loadsOnRanks([load], { topK, ranks: load.length }).layers[0]
        for (const [e, chance] of each.chances.entries()) expect(chance).toBeCloseTo(each.slotChances[e], 9)
        const [one] = loadsOnRanks([load], { topK, ranks: 1 }).layers[0].chances
        expect(one).toBeCloseTo(1, 12)
      }),
    )
  })

  test('the chances are those of all sets that weights make of them, and of all copies, counted', () => {
    const weights = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 6, maxLength: 6 })
    const spare = fc.array(fc.nat(5), { minLength: 3, maxLength: 3 })
    fc.assert(
      fc.property(weights, spare, fc.integer({ min: 1, max: 6 }), (weight, copies, topK) => {
        const placement = placementOf([...copies, 0, 1, 2, 3, 4, 5], 6) // 3 ranks of 3 slots
        const load = new Float64Array(6)
        const needed = new Float64Array(3)
        let all = 0
        for (const set of sets(6, topK)) {
          const chance = set.reduce((product, e) => product * weight[e], 1)
          all += chance
          for (const e of set) load[e] += chance
          for (const [rank, need] of neededBy(set, placement, 3).entries()) needed[rank] += chance * need
        }
        const found = loadsOnRanks([load], { topK, ranks: 3, placements: [placement] })
        for (const [rank, chance] of found.layers[0].chances.entries())
          expect(chance).toBeCloseTo(needed[rank] / all, 9)
        expect(found.slots).toBe(9)
      }),
    )
  })

  test('experts that all tokens choose, or none, leave the others their choices', () => {
    const { layers, ranksPerToken } = loadsOnRanks([[8, 4, 4, 0]], { topK: 2, ranks: 4 })
    expect([...layers[0].chances]).toEqual([1, 0.5, 0.5, 0])
    expect(ranksPerToken).toBe(2)
    // All of them chosen, but for rounding: nothing is left out whose odds could be found.
    const { chances } = loadsOnRanks([[1 + 9e-10, 1 + 9e-10, 1 - 18e-10]], { topK: 3, ranks: 3 }).layers[0]
    for (const chance of chances) expect(chance).toBeCloseTo(1, 8)
  })

  test.each([
    [1, [0.874, 0.126, 9e-10]],
    [1, [1 - 1e-12, 6e-13, 4e-13]],
    [2, [1 - 9e-10, 0.7, 0.2, 0.1, 9e-10]],
    [2, [1, 0.5, 0.5, 5e-324]],
    [3, [1 - 2e-16, 1 - 1e-11, 0.999, 0.001, 1e-11, 2e-16]],
  ])('to 1e-12 of a draw, also of shares close to 0 and 1: %d draws of %j', (topK, load) => {
    const [{ chances }] = loadsOnRanks([load], { topK, ranks: load.length }).layers
    for (const [e, chance] of chances.entries()) {
      const share = Math.min(1, (topK * load[e]) / total(load))
      expect(Math.abs(chance - share)).toBeLessThan(2e-12)
    }
  })

  test('large and small loads alike: only shares count', () => {
    const load = [3, 1, 2, 2]
    const { busiestPort, stragglerFactor } = loadsOnRanks([load], { topK: 2, ranks: 2 })
    for (const scale of [1e200, 1e299, 1e-300]) {
      const scaled = loadsOnRanks([load.map((count) => count * scale)], { topK: 2, ranks: 2 })
      expect(scaled.stragglerFactor).toBeCloseTo(stragglerFactor, 12)
      expect(scaled.busiestPort).toBeCloseTo(busiestPort, 12)
    }
  })

  test('layers are averaged, each in its own placement', () => {
    const loads = [
      [3, 1, 1, 3],
      [1, 1, 1, 1],
    ]
    const placements = [placementOf([0, 3, 1, 2], 4), placementOf([0, 1, 2, 3], 4)]
    const both = loadsOnRanks(loads, { topK: 1, ranks: 2, placements })
    expect([...both.layers[0].chances].map((chance) => chance.toFixed(10))).toEqual([
      '0.7500000000',
      '0.2500000000',
    ])
    expect(both.stragglerFactor).toBe(1.25)
    expect(both.busiestPort).toBeCloseTo(1.25, 10)
  })

  test('what does not fit is refused', () => {
    const at = { topK: 2, ranks: 2 }
    const four = [1, 1, 1, 1]
    const placement = placementOf([0, 1, 2, 3], 4)
    expect(() => loadsOnRanks([], at)).toThrow('loadsOnRanks: the number of loads must be a whole number')
    expect(() => loadsOnRanks([[]], at)).toThrow('loadsOnRanks: the number of experts must be a whole number')
    expect(() => loadsOnRanks([four], { ...at, topK: 5 })).toThrow(
      'loadsOnRanks: topK must be a whole number from 1',
    )
    expect(() => loadsOnRanks([new Float64Array(1 << 15)], { topK: 1024, ranks: 2 })).toThrow(
      'loadsOnRanks: experts times topK must be at most 2^24, got 33554432',
    )
    expect(() => loadsOnRanks([four, four], { ...at, placements: [placement] })).toThrow(
      'loadsOnRanks: there must be 2 placements, one a load, got 1',
    )
    expect(() => loadsOnRanks([four, [1, 1]], at)).toThrow(
      'loadsOnRanks: every load must hold 4 values, got 2',
    )
    const wider = placementOf([0, 1, 2, 3, 0, 1], 4)
    expect(() => loadsOnRanks([four, four], { ...at, placements: [placement, wider] })).toThrow(
      'loadsOnRanks: every placement must have 4 slots, got 6',
    )
    for (const placements of [undefined, [placement]]) {
      const on = (ranks: number) => () => loadsOnRanks([four], { ...at, ranks, placements })
      expect(on(3)).toThrow('loadsOnRanks: ranks must divide the 4 slots, got 3. Ranks hold equally many.')
      expect(on(0)).toThrow('loadsOnRanks: ranks must be a whole number from 1 to 4, got 0.')
      expect(on(8)).toThrow('loadsOnRanks: ranks must be a whole number from 1 to 4, got 8.')
    }
    expect(() => loadsOnRanks([[1, 2, 1]], { ...at, placements: [placement] })).toThrow(
      'loadsOnRanks: every placement must be of the 3 experts of the loads, got 4.',
    )
    const flat = new Float64Array(four) as unknown as number[][]
    expect(() => loadsOnRanks(flat, at)).toThrow(
      'loadsOnRanks: every load must be an array of its own, a value for each expert, got 1. Put the load of a single',
    )
    for (const odd of [Number.NaN, -1])
      expect(() => loadsOnRanks([[1, 1, odd, 1]], at)).toThrow(
        `loadsOnRanks: the values of loads[0] must be at least 0, and their sum at most 1e300, got ${odd}.`,
      )
    expect(() => loadsOnRanks([four, [1e300, 1e300, 0, 0]], at)).toThrow(
      'loadsOnRanks: the values of loads[1] must be at least 0, and their sum at most 1e300, got 2e+300.',
    )
    expect(() => loadsOnRanks([four, [1, 5, 1, 1]], at)).toThrow(
      'loadsOnRanks: expert 1 of loads[1] must have no more than one in 2 choices, got 0.625. A token chooses it once',
    )
  })
})

// What the loads do not tell is which experts tokens choose together. The gap is measured on batches of skewed routers, whose
// logits are a bias of each expert and independent noise, and on a recorded trace of real text.

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

const forced = (std: number, numExperts: number, topK: number, tokens: number): Routing => {
  const router = { numExperts, topK, scoreFunction: 'sigmoid', normalize: true, scale: 1 } as const
  return run(forcedBias(router, std), { tokens }, { bias: new Float32Array(numExperts) })
}

describe('against routings, counted', () => {
  test.each([
    [0.3, 128, 6],
    [1, 128, 6],
    [2, 256, 8],
  ])(
    'a bias of standard deviation %d on %d experts, %d a token: each rank within 0.01, all within half a percent',
    (std, numExperts, topK) => {
      const routing = forced(std, numExperts, topK, 20000)
      const load = loadOf(routing)
      for (const ranks of [2, 8, 32]) {
        const spare = placeExperts(load, { replicas: numExperts + ranks, ranks })
        for (const placement of [linearPlacement(load, { replicas: numExperts, ranks }), spare]) {
          const found = loadsOnRanks([load], { topK, ranks, placements: [placement] })
          const real = counted(routing, placement, ranks)
          for (const [rank, chance] of found.layers[0].chances.entries())
            expect(Math.abs(chance - real[rank])).toBeLessThan(0.01)
          expect(Math.abs(found.ranksPerToken / total(real) - 1)).toBeLessThan(0.005)
        }
      }
    },
  )

  test('a recorded trace: the busiest rank within 6 %, all within 1.5 %', () => {
    const trace = readTrace(readFileSync(dataFile('trace.safetensors')))
    for (const layer of trace.layers) {
      const routing = { ...trace.router, tokens: trace.tokens, ...layer, dropped: 0 }
      const load = loadOf(routing)
      for (const ranks of [2, 4, 8, 16, 32, 64]) {
        const [{ chances }] = loadsOnRanks([load], { topK: 6, ranks }).layers
        const real = counted(routing, linearPlacement(load, { replicas: 128, ranks }), ranks)
        expect(Math.abs(largest(chances) / largest(real) - 1)).toBeLessThan(0.06)
        expect(Math.abs(total(chances) / total(real) - 1)).toBeLessThan(0.015)
      }
    }
  })

  test('bytes of the busiest port of a skewed batch, out and back, within 2 %', () => {
    const [tokens, ranks] = [65536, 16]
    const routing = forced(1, 128, 6, tokens)
    const load = loadOf(routing)
    const vector = { width: 2688, dispatch: 'fp8', combine: 'bf16' } as const
    for (const placement of [
      linearPlacement(load, { replicas: 128, ranks }),
      placeExperts(load, { replicas: 144, ranks }),
    ]) {
      const map = {
        ranks,
        expertRank: contiguousRanks(placement.experts.length, ranks),
        tokenRank: contiguousRanks(tokens, ranks),
      }
      const traffic = trafficOf(sentTokens(overReplicas(routing, placement), map), vector)
      const seconds = [traffic.dispatchBytes, traffic.combineBytes].map((bytes) =>
        allToAllSeconds({ bytes, hardware: hardware.h200, latencySeconds: 0 }),
      )
      const measured = loadsOnRanks([load], { topK: 6, ranks, placements: [placement] })
      const point = expertParallelDecode({
        ...decode,
        model: { ...nano, experts: [{ ...nano.experts[0], layers: 1 }] },
        hardware: { ...hardware.h200, latencySeconds: 0 },
        ranks,
        batchPerRank: tokens / ranks,
        measured,
      })
      expect(point.communicationSeconds / total(seconds)).toBeGreaterThan(0.98)
      expect(point.communicationSeconds / total(seconds)).toBeLessThan(1.02)
    }
  })
})

const decode: Omit<ExpertParallelDecode, 'ranks' | 'batchPerRank'> = {
  model: nano,
  hardware: hardware.h200,
  contextTokens: 1024,
  activations: 'fp8',
  dispatch: 'fp8',
  combine: 'bf16',
}

/** The time of one exchange of a vector for each token and rank that it needs, by the matrix. */
function byMatrix(layers: readonly LayerOnRanks[], batch: number, vectorBytes: number): number {
  return total(
    layers.map(({ chances }) => {
      const ranks = chances.length
      const bytes = Float64Array.from(
        { length: ranks * ranks },
        (_, i) => batch * chances[i % ranks] * vectorBytes,
      )
      const back = bytes.map((_, i) => bytes[(i % ranks) * ranks + Math.floor(i / ranks)])
      const both = [bytes, back].map((each) =>
        allToAllSeconds({ bytes: each, hardware: decode.hardware, latencySeconds: 0 }),
      )
      expect(both[0]).toBeCloseTo(both[1], 15)
      return both[0] / layers.length
    }),
  )
}

describe('a decode step of measured loads', () => {
  test('equal loads are fair routing, but for the chance in the work of experts', () => {
    const sizes = [
      ...[1, 2, 8, 16, 64, 128].map((ranks) => ({ numExperts: 128, ranks })),
      ...[12, 20, 60].map((ranks) => ({ numExperts: 120, ranks })), // the last node has 4 of 8 devices
    ]
    fc.assert(
      fc.property(fc.constantFrom(...sizes), fc.integer({ min: 1, max: 512 }), (size, batchPerRank) => {
        const { numExperts, ranks } = size
        const model = { ...nano, experts: [{ ...nano.experts[0], numExperts }] }
        const at = { ...decode, model, ranks, batchPerRank }
        const measured = loadsOnRanks([new Float64Array(numExperts).fill(7)], { topK: 6, ranks })
        const fair = Object.entries(expertParallelDecode({ ...at, stragglerFactor: 1 }))
        const found = expertParallelDecode({ ...at, measured })
        for (const [field, value] of fair) {
          const own = found[field as keyof typeof found]
          expect(Math.abs(own - value)).toBeLessThanOrEqual(1e-12 * value)
        }
      }),
    )
  })

  test('exchanges take the time of the busiest port, near or far, where the last node is smaller, too', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 16 }), { minLength: 120, maxLength: 120 }),
        fc.constantFrom(1, 4, 8, 12, 20, 60),
        (counts, ranks) => {
          const load = counts.map((count) => count + 4)
          const measured = loadsOnRanks([load, load.toReversed()], { topK: 6, ranks })
          const [layer] = nano.experts
          const model = { ...nano, experts: [{ ...layer, numExperts: 120 }] }
          const point = expertParallelDecode({ ...decode, model, ranks, batchPerRank: 32, measured })
          const wanted = layer.layers * byMatrix(measured.layers, 32, layer.width * 3)
          expect(point.communicationSeconds - point.latencySeconds).toBeCloseTo(wanted, 12)
        },
      ),
    )
  })

  test('a skewed load slows work, ports and reading; a placement by it gives most of that back', () => {
    const load = Float64Array.from({ length: 128 }, (_, e) => (e < 16 ? 64 : 16))
    const at = { ...decode, ranks: 32, batchPerRank: 64 }
    const step = (placements?: Placement[]) =>
      expertParallelDecode({ ...at, measured: loadsOnRanks([load], { topK: 6, ranks: 32, placements }) })
    const fair = expertParallelDecode({ ...at, stragglerFactor: 1 })
    const dealt = roundRobinPlacement(load, { replicas: 128, ranks: 32 })
    const spare = placeExperts(load, { replicas: 160, ranks: 32 })
    const [linear, turns, copies] = [step(), step([dealt]), step([spare])]
    const bytesOf = (point: typeof linear): number => point.communicationSeconds - point.latencySeconds
    expect(bytesOf(linear)).toBeGreaterThan(2 * bytesOf(fair))
    expect(bytesOf(turns)).toBeLessThan(bytesOf(linear) / 1.5)
    expect(bytesOf(copies)).toBeLessThan(bytesOf(linear) / 2)
    expect(linear.computeSeconds).toBeGreaterThan(turns.computeSeconds)
    expect(turns.computeSeconds).toBeGreaterThan(copies.computeSeconds)
    // A fifth more slots take a fifth more memory of the experts, which lie there whether they are read or not.
    const added = (nano.experts[0].layers * nano.experts[0].expertBytes * 32) / 32
    expect(copies.memoryBytesPerRank - linear.memoryBytesPerRank).toBeCloseTo(added, 3)
    expect(linear.memoryBytesPerRank).toBe(fair.memoryBytesPerRank)
  })

  test('memory waits for the rank that reads most of its slots', () => {
    fc.assert(
      fc.property(skewed, fc.integer({ min: 1, max: 40 }), ({ load, topK, ranks }, batchPerRank) => {
        const measured = loadsOnRanks([load], { topK, ranks })
        const [layer] = nano.experts
        const model = { ...nano, experts: [{ ...layer, numExperts: load.length, topK }] }
        const at = { ...decode, model, ranks, batchPerRank }
        const read = measured.layers[0].slotChances.map(
          (chance) => 1 - (1 - chance) ** (ranks * batchPerRank),
        )
        const width = load.length / ranks
        const ofRanks = Array.from({ length: ranks }, (_, r) =>
          total(read.subarray(r * width, (r + 1) * width)),
        )
        const without = expertParallelDecode({ ...at, model: { ...model, experts: [] } })
        const seconds = expertParallelDecode({ ...at, measured }).memorySeconds - without.memorySeconds
        const bytes = seconds * hardware.h200.memoryBytesPerSecond
        expect(bytes / (layer.layers * layer.expertBytes)).toBeCloseTo(largest(ofRanks), 6)
      }),
    )
  })

  test('copies let experts spread over ranks that do not divide them', () => {
    const load = new Float64Array(128).fill(1)
    const placements = [linearPlacement(load, { replicas: 132, ranks: 12 })]
    const measured = loadsOnRanks([load], { topK: 6, ranks: 12, placements })
    const point = expertParallelDecode({ ...decode, ranks: 12, batchPerRank: 8, measured })
    expect(point.tokensPerSecondPerRank).toBeGreaterThan(0)
    expect(() => expertParallelDecode({ ...decode, ranks: 12, batchPerRank: 8 })).toThrow(
      'multiple of ranks = 12',
    )
  })

  test('loads of another model or other ranks are refused', () => {
    const at = { ...decode, ranks: 8, batchPerRank: 8 }
    const of = (numExperts: number, topK: number, ranks: number) =>
      loadsOnRanks([new Float64Array(numExperts)], { topK, ranks })
    const ask = (measured: ReturnType<typeof of>) => () => expertParallelDecode({ ...at, measured })
    expect(ask(of(64, 6, 8))).toThrow('expertParallelDecode: numExperts of measured must be 128, got 64')
    expect(ask(of(128, 8, 8))).toThrow('expertParallelDecode: topK of measured must be 6, got 8')
    expect(ask(of(128, 6, 4))).toThrow(
      'expertParallelDecode: ranks of measured must be 8, got 4. Give loadsOnRanks those of this model, on these ranks.',
    )
  })
})
