import fc from 'fast-check'
import {
  allToAllSeconds,
  computeBoundTokens,
  computeBoundTokensOf,
  computeBoundTokensPerSecond,
  contiguousRanks,
  expertGemms,
  expertParallelDecode,
  flopsPerSecondIn,
  type Hardware,
  hardware,
  largeBatchTokensPerSecond,
  largestBatch,
  memoryBoundTokensPerSecond,
  moeLayerCost,
  noOverlap,
  sentAssignments,
  sharedExpertOverlap,
  storageBytes,
  sweepExpertParallel,
  twoBatchOverlap,
} from 'moesim'
import { describe, expect, test } from 'vitest'
import { routingOf } from '../routings.js'
import { nano as model } from './models.js'

const { h200, h100, gb200, b200 } = hardware
const nano = { width: 2688, expertWidth: 1856, gated: false, weights: 'fp8', activations: 'fp8' } as const

describe('hardware', () => {
  test.each(Object.values(hardware))(
    '$name states its sources, and rates in the order of their bytes',
    (device) => {
      expect(device.sources.length).toBeGreaterThan(0)
      expect(device.flopsPerSecond.fp8).toBe(2 * device.flopsPerSecond.bf16)
      expect(device.memoryBytesPerSecond).toBeGreaterThan(device.linkBytesPerSecond)
      expect(device.linkBytesPerSecond).toBeGreaterThan(device.networkBytesPerSecond)
    },
  )

  test('known values: 1979 dense fp8 TFLOP/s of Hopper, 1250 fp4 operations a byte of GB200', () => {
    expect([h100, h200].map((device) => flopsPerSecondIn(device, 'fp8-block128'))).toEqual([1979e12, 1979e12])
    expect(flopsPerSecondIn(gb200, 'nvfp4') / gb200.memoryBytesPerSecond).toBe(1250)
    expect(flopsPerSecondIn(b200, 'fp16')).toBe(2250e12)
  })

  test('a format that a device does not multiply in is refused', () => {
    expect(() => flopsPerSecondIn(h200, 'mxfp4')).toThrow(
      'flopsPerSecondIn: H200 SXM must multiply in the format, one of bf16, fp16, fp8, fp8-block128, mxfp8, got "mxfp4"',
    )
    expect(() => flopsPerSecondIn(gb200, 'fp32')).toThrow(
      'one of bf16, fp16, fp8, fp8-block128, mxfp8, mxfp4, nvfp4',
    )
  })

  const own: Hardware = {
    name: 'my card',
    memoryBytes: 24e9,
    memoryBytesPerSecond: 1e12,
    flopsPerSecond: { bf16: 100e12, fp8: 200e12 },
    ranksPerNode: 1,
    linkBytesPerSecond: 32e9,
    networkBytesPerSecond: 3e9,
    sources: ['its sheet'],
  }

  test('a record of your own is ten lines of data', () => {
    expect(computeBoundTokens(own, { weights: 'bf16', activations: 'bf16' })).toBe(100)
  })

  // 128 tokens of 7168 in blocks of fp8 for 8 experts each; of those on other nodes' ranks the network takes 50 GB/s.
  test.each([
    [16, 118],
    [32, 155],
    [64, 173],
    [128, 192],
    [256, 194],
  ])('DeepEP’s published latency over %d ranks, %d µs, is its bytes and 40 to 51 µs', (ranks, us) => {
    const bytes = 128 * 8 * 7168 * storageBytes['fp8-block128'] * ((ranks - 8) / ranks)
    const left = us - (1e6 * bytes) / hardware.h800.networkBytesPerSecond
    expect(left).toBeGreaterThan(1e6 * (hardware.h800.latencySeconds as number))
    expect(left).toBeLessThan(51)
  })

  const formats = { weights: 'fp8', activations: 'fp8', dispatch: 'fp8', combine: 'bf16' } as const
  const { weights: _, ...exchanged } = formats
  const at = { model, contextTokens: 16, ...exchanged }
  const tokens = routingOf(4, [[0, 3]])
  const map = { ranks: 2, expertRank: contiguousRanks(4, 2), tokenRank: contiguousRanks(1, 2) }
  const users: Record<string, (hardware: Hardware) => unknown> = {
    allToAllSeconds: (hardware) => allToAllSeconds({ bytes: new Float64Array(4), hardware }),
    expertGemms: (hardware) => expertGemms({ ...nano, hardware, assignments: 1, experts: 1 }),
    moeLayerCost: (hardware) => moeLayerCost(tokens, { ...nano, ...formats, map, hardware }),
    computeBoundTokens: (hardware) => computeBoundTokens(hardware, formats),
    computeBoundTokensOf: (hardware) => computeBoundTokensOf(hardware, nano),
    memoryBoundTokensPerSecond: (hardware) =>
      memoryBoundTokensPerSecond(model, hardware, { batch: 1, contextTokens: 16 }),
    largeBatchTokensPerSecond: (hardware) => largeBatchTokensPerSecond(model, hardware, 16),
    largestBatch: (hardware) => largestBatch(model, hardware, { contextTokens: 16 }),
    expertParallelDecode: (hardware) => expertParallelDecode({ ...at, hardware, ranks: 2, batchPerRank: 1 }),
    sweepExpertParallel: (hardware) => sweepExpertParallel({ ...at, hardware, ranks: [2], batches: [1] }),
  }
  const rates = ['memoryBytesPerSecond', 'linkBytesPerSecond', 'networkBytesPerSecond'] as const
  const uses: Record<string, readonly (keyof Hardware)[]> = {
    allToAllSeconds: ['linkBytesPerSecond', 'networkBytesPerSecond'],
    moeLayerCost: rates,
    expertParallelDecode: rates,
    largestBatch: ['memoryBytes'],
    sweepExpertParallel: ['memoryBytes'],
  }

  test.each(Object.entries(users))(
    '%s refuses a record with sizes or rates that no device has',
    (who, use) => {
      expect(() => use(own)).not.toThrow()
      for (const field of uses[who] ?? ['memoryBytesPerSecond'])
        for (const value of [0, -1, Number.NaN, Infinity, '3e12', undefined])
          expect(() => use({ ...own, [field]: value })).toThrow(
            `${who}: ${field} of the hardware must be a finite number above 0`,
          )
      for (const latencySeconds of [-1, Number.NaN, Infinity])
        expect(() => use({ ...own, latencySeconds })).toThrow(
          `${who}: latencySeconds of the hardware must be a finite number of at least 0`,
        )
      const strange = { ...own, latencyMicroseconds: 3 }
      expect(() => use(strange)).toThrow(
        `${who}: the hardware must have only the fields of its kind, got "latencyMicroseconds"`,
      )
    },
  )

  test.each(['allToAllSeconds', 'moeLayerCost', 'expertParallelDecode'])('%s wants whole nodes', (who) => {
    for (const ranksPerNode of [0, 1.5, Number.NaN])
      expect(() => users[who]({ ...own, ranksPerNode })).toThrow(
        `${who}: ranksPerNode of the hardware must be`,
      )
  })

  test('a rate that is none is refused where it is used', () => {
    const strange = { ...own, flopsPerSecond: { bf16: 1e12, fp8: Number.NaN } }
    expect(flopsPerSecondIn(strange, 'bf16')).toBe(1e12)
    expect(() => flopsPerSecondIn(strange, 'fp8')).toThrow(
      'flopsPerSecondIn: the rate of my card in fp8 must be a finite number above 0, got NaN',
    )
    expect(() => computeBoundTokensPerSecond(model, 0)).toThrow(
      'flopsPerSecond must be a finite number above 0',
    )
  })

  test('work that is none, and formats that are none, are refused', () => {
    const work = { ...nano, hardware: own, assignments: 1, experts: 1 }
    expect(() => expertGemms({ ...work, assignments: Number.NaN })).toThrow(
      'expertGemms: assignments must be',
    )
    expect(() => expertGemms({ ...work, experts: -1 })).toThrow('expertGemms: experts must be')
    expect(() => expertGemms({ ...work, weights: 'fp9' as 'fp8' })).toThrow(
      'expertGemms: a format must be one of fp32, bf16',
    )
    expect(() => moeLayerCost(tokens, { ...nano, ...formats, map, hardware: own, denseSeconds: -1 })).toThrow(
      'moeLayerCost: denseSeconds must be a number of at least 0',
    )
  })
})

describe('the roofline of experts', () => {
  test('two matrices of an expert, or three where it is gated', () => {
    const work = { ...nano, hardware: h200, assignments: 10, experts: 3 }
    expect(expertGemms(work)).toMatchObject({
      flops: 2 * 10 * 9977856,
      weightBytes: 3 * 9977856,
      activationBytes: 10 * 2 * (2688 + 1856),
    })
    expect(expertGemms({ ...work, gated: true }).flops).toBe(3 * 10 * 9977856)
  })

  test('turns from memory to computation at the tokens of computeBoundTokensOf', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 64, max: 8192 }),
        fc.integer({ min: 1024, max: 8192 }),
        fc.boolean(),
        (width, expertWidth, gated) => {
          const shape = { ...nano, width, expertWidth, gated }
          const ridge = computeBoundTokensOf(h200, shape)
          if (ridge === Infinity) return
          const at = (assignments: number) =>
            expertGemms({ ...shape, hardware: h200, experts: 1, assignments })
          expect(at(ridge).computeSeconds / at(ridge).memorySeconds).toBeCloseTo(1, 9)
          expect(at(2 * ridge).seconds).toBe(at(2 * ridge).computeSeconds)
          expect(at(ridge / 2).seconds).toBe(at(ridge / 2).memorySeconds)
        },
      ),
    )
  })

  test('an expert so narrow that its activations never pay is never compute-bound', () => {
    expect(computeBoundTokensOf(h200, { ...nano, width: 128, expertWidth: 64 })).toBe(Infinity)
  })

  test('narrow weights multiplied in bf16 turn compute-bound sooner', () => {
    const narrow = computeBoundTokens(h200, { weights: 'mxfp4', activations: 'bf16' })
    expect(narrow).toBeCloseTo(
      (0.53125 / 2) * computeBoundTokens(h200, { weights: 'bf16', activations: 'bf16' }),
      12,
    )
  })
})

describe('a layer', () => {
  const parts = { denseSeconds: 1, dispatchSeconds: 4, expertSeconds: 8, combineSeconds: 6, sharedSeconds: 2 }

  test('its parts one after another, with shared experts in the shade of traffic, or in two batches', () => {
    expect([noOverlap, sharedExpertOverlap, twoBatchOverlap].map((overlap) => overlap(parts))).toEqual([
      21, 19, 11,
    ])
    expect(sharedExpertOverlap({ ...parts, sharedSeconds: 20 })).toBe(29)
    expect(twoBatchOverlap({ ...parts, combineSeconds: 60 })).toBe(64)
  })

  const routing = routingOf(4, [
    [0, 1],
    [0, 1],
    [0, 3],
    [0, -1],
  ])
  const map = { ranks: 2, expertRank: contiguousRanks(4, 2), tokenRank: contiguousRanks(4, 2) }
  const setup = { ...nano, map, hardware: h200, dispatch: 'fp8', combine: 'bf16' } as const

  test('waits for the rank with most to do', () => {
    const { load, stragglerFactor, ranks, seconds } = moeLayerCost(routing, setup)
    expect([...load]).toEqual([6, 1])
    expect(stragglerFactor).toBeCloseTo(12 / 7, 12)
    expect(ranks.map(({ weightBytes }) => weightBytes)).toEqual([2 * 9977856, 9977856])
    expect(seconds.expertSeconds).toBe(ranks[0].seconds)
    expect(seconds).toMatchObject({ denseSeconds: 0, sharedSeconds: 0 })
  })

  test('sends what is asked for, and back', () => {
    const once = moeLayerCost(routing, setup).seconds
    expect(once.dispatchSeconds).toBeCloseTo(40e-6 + (2 * 2688) / 450e9, 15)
    expect(once.combineSeconds).toBeCloseTo(40e-6 + (4 * 2688) / 450e9, 15)
    const slow = moeLayerCost(routing, {
      ...setup,
      sent: sentAssignments,
      latencySeconds: 1e-6,
      steps: 3,
    }).seconds
    expect(slow.dispatchSeconds).toBeCloseTo(3e-6 + (2 * 2688) / 450e9, 15)
  })

  test('shared experts run on the tokens of each rank', () => {
    const shared = { width: 2688, expertWidth: 3712, gated: false }
    const { seconds } = moeLayerCost(routing, { ...setup, shared, denseSeconds: 5e-6 })
    expect(seconds.sharedSeconds).toBe(
      expertGemms({ ...nano, ...shared, hardware: h200, assignments: 2, experts: 1 }).seconds,
    )
    expect(seconds.denseSeconds).toBe(5e-6)
  })

  test('of no tokens takes no time', () => {
    const empty = { ...setup, map: { ...map, tokenRank: new Int32Array(0) } }
    const cost = moeLayerCost({ ...routingOf(4, []), topK: 2 }, empty)
    expect(noOverlap(cost.seconds)).toBe(0)
    expect(cost.stragglerFactor).toBe(1)
  })
})
