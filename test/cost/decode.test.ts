import fc from 'fast-check'
import {
  activeParametersOf,
  computeBoundTokensPerSecond,
  countParameters,
  decodeBytes,
  expertParallelDecode,
  hardware,
  largeBatchTokensPerSecond,
  largestBatch,
  memoryBoundTokensPerSecond,
  nemotron3Nano,
  paretoFront,
  sweepExpertParallel,
  throughputAndMemory,
} from 'moesim'
import { describe, expect, test } from 'vitest'
import { nano, qwen3 } from './models.js'

const { h200 } = hardware
const at16K = { contextTokens: 16384 }

describe('decoding on one device', () => {
  test('the parts of a step sum to it; one sequence reads the active weights', () => {
    const { commonBytes, expertBytes, cacheBytes, stateBytes, totalBytes } = decodeBytes(nano, {
      batch: 1,
      ...at16K,
    })
    expect(commonBytes + expertBytes).toBeCloseTo(countParameters(nemotron3Nano).active.withHead, 3)
    expect([cacheBytes, stateBytes]).toEqual([3072 * 16384, 2 * 49082368])
    expect(commonBytes + expertBytes + cacheBytes + stateBytes).toBe(totalBytes)
    expect(activeParametersOf(nano)).toBe(countParameters(nemotron3Nano).active.withHead)
  })

  test('throughput rises with the batch, falls with the context, and stays below its limit', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4096 }),
        fc.integer({ min: 1, max: 1e6 }),
        (batch, contextTokens) => {
          const bound = memoryBoundTokensPerSecond(nano, h200, { batch, contextTokens })
          expect(bound).toBeLessThan(largeBatchTokensPerSecond(nano, h200, contextTokens))
          expect(bound).toBeLessThan(
            memoryBoundTokensPerSecond(nano, h200, { batch: batch + 1, contextTokens }),
          )
          expect(bound).toBeGreaterThan(
            memoryBoundTokensPerSecond(nano, h200, { batch, contextTokens: contextTokens + 1 }),
          )
        },
      ),
    )
  })

  test('without cache and state there is no limit', () => {
    expect(largeBatchTokensPerSecond(qwen3, h200, 0)).toBe(Infinity)
    expect(computeBoundTokensPerSecond(qwen3, 1979e12)).toBeCloseTo(1979e12 / 2 / 3041867776, 6)
  })

  test('the largest batch fits, and one more does not; what holds no weights holds none', () => {
    const batch = largestBatch(nano, h200, at16K)
    const bytes = (sequences: number): number => nano.weightBytes + sequences * (49082368 + 3072 * 16384)
    expect(bytes(batch)).toBeLessThanOrEqual(0.9 * 141e9)
    expect(bytes(batch + 1)).toBeGreaterThan(0.9 * 141e9)
    expect(largestBatch(nano, { memoryBytes: 24e9 }, at16K)).toBe(0)
    expect(largestBatch(nano, h200, { ...at16K, usableShare: 1 })).toBe(1100)
  })

  test('is refused of what is no batch', () => {
    expect(() => decodeBytes(nano, { batch: 0, ...at16K })).toThrow('decodeBytes: batch must be')
    expect(() => largeBatchTokensPerSecond(nano, h200, -1)).toThrow(
      'largeBatchTokensPerSecond: contextTokens must be',
    )
    expect(() => largestBatch(nano, h200, { ...at16K, usableShare: 1.1 })).toThrow(
      'usableShare must be above 0',
    )
    expect(() => largestBatch(nano, h200, { ...at16K, usableShare: 0 })).toThrow(
      'usableShare must be above 0',
    )
  })
})

describe('decoding over ranks', () => {
  const formats = { activations: 'fp8', dispatch: 'fp8', combine: 'bf16' } as const
  const setup = { model: nano, hardware: h200, ...at16K, ...formats }

  test('over one rank it is decoding on one device', () => {
    for (const batchPerRank of [1, 64, 900]) {
      const point = expertParallelDecode({ ...setup, ranks: 1, batchPerRank })
      expect(point.tokensPerSecondPerRank).toBeCloseTo(
        memoryBoundTokensPerSecond(nano, h200, { batch: batchPerRank, ...at16K }),
        6,
      )
      expect([point.latencySeconds, point.communicationSeconds]).toEqual([0, 0])
      expect(point.memoryBytesPerRank).toBe(nano.weightBytes + batchPerRank * (49082368 + 3072 * 16384))
    }
  })

  test('each rank holds its share of the experts and reads its share of those that all ranks’ tokens need', () => {
    const one = expertParallelDecode({ ...setup, ranks: 1, batchPerRank: 8 })
    const eight = expertParallelDecode({ ...setup, ranks: 8, batchPerRank: 8 })
    expect(one.memoryBytesPerRank - eight.memoryBytesPerRank).toBeCloseTo((7 / 8) * 23 * 128 * 9977856, 2)
    const perSequence = 8 * (3072 * 16384 + 2 * 49082368)
    const weights = decodeBytes(nano, { batch: 64, contextTokens: 0 })
    const moved = weights.commonBytes + weights.expertBytes / 8 + perSequence
    expect(eight.memorySeconds).toBeCloseTo(moved / 4.8e12, 12)
  })

  test('within a node all traffic is on the link; beyond it, most is on the network; each exchange has its latency', () => {
    const node = expertParallelDecode({ ...setup, ranks: 8, batchPerRank: 64 })
    const perToken = 4.4711218768779 * 0.875 * 3 * 2688
    expect(node.latencySeconds).toBeCloseTo(2 * 23 * 40e-6, 15)
    expect(node.communicationSeconds).toBeCloseTo(2 * 23 * 40e-6 + (23 * 64 * perToken) / 450e9, 12)
    const two = expertParallelDecode({ ...setup, ranks: 16, batchPerRank: 64 })
    const far = 5.224167219066146 * (15 / 16) * (8 / 15) * 3 * 2688
    expect(two.communicationSeconds).toBeCloseTo(2 * 23 * 40e-6 + (23 * 64 * far) / 50e9, 12)
    const { latencySeconds: _, ...unhurried } = h200
    const bytes = expertParallelDecode({ ...setup, hardware: unhurried, ranks: 16, batchPerRank: 64 })
    expect(bytes.latencySeconds).toBe(0)
    expect(bytes.communicationSeconds).toBeCloseTo((23 * 64 * far) / 50e9, 12)
  })

  test('the slowest rank counts where computation does, as expected or as counted', () => {
    const many = {
      ...setup,
      ranks: 8,
      batchPerRank: 20000,
      contextTokens: 0,
      model: { ...nano, stateBytes: 0 },
    }
    const flops = 2 * 20000 * activeParametersOf(nano)
    const even = expertParallelDecode({ ...many, stragglerFactor: 1 })
    expect(even.computeSeconds).toBeCloseTo(flops / 1979e12, 12)
    expect(even.stepSeconds).toBe(Math.max(even.computeSeconds, even.communicationSeconds))
    const uneven = expertParallelDecode({ ...many, stragglerFactor: 2 })
    expect(uneven.computeSeconds - even.computeSeconds).toBeCloseTo((2 * 20000 * 1376944128) / 1979e12, 12)
    expect(expertParallelDecode(many).computeSeconds).toBeGreaterThan(even.computeSeconds)
  })

  test('is refused where experts do not divide, or nothing is decoded', () => {
    expect(() => expertParallelDecode({ ...setup, ranks: 3, batchPerRank: 1 })).toThrow(
      'must be a multiple of ranks = 3',
    )
    expect(() => expertParallelDecode({ ...setup, ranks: 0, batchPerRank: 1 })).toThrow('ranks must be')
    expect(() => expertParallelDecode({ ...setup, ranks: 1, batchPerRank: 0 })).toThrow(
      'batchPerRank must be',
    )
    expect(() => expertParallelDecode({ ...setup, ranks: 1, batchPerRank: 1, contextTokens: -1 })).toThrow(
      'contextTokens must be',
    )
  })

  test('a sweep keeps what fits, and its front is what no other point beats', () => {
    const points = sweepExpertParallel({ ...setup, ranks: [1, 2, 4, 8, 16, 32], batches: [1, 32, 256, 1024] })
    expect(points.map(({ ranks, batchPerRank }) => [ranks, batchPerRank])).not.toContainEqual([1, 1024])
    expect(sweepExpertParallel({ ...setup, ranks: [1], batches: [1], usableShare: 0.1 })).toEqual([])
    const front = paretoFront(points, throughputAndMemory)
    expect(front.length).toBeGreaterThan(1)
    for (const point of points) {
      const beaten = front.some(
        (better) =>
          better.tokensPerSecondPerRank >= point.tokensPerSecondPerRank &&
          better.memoryBytesPerRank <= point.memoryBytesPerRank,
      )
      expect(beaten).toBe(true)
    }
  })

  test('with the latency of exchanges the largest size is not always the fastest: few devices are for much memory', () => {
    const sizes = { ranks: [1, 2, 4, 8, 16, 32, 64, 128], batches: [8, 64, 512] }
    const fastest = (latencySeconds: number, batch: number): number => {
      const points = sweepExpertParallel({ ...setup, ...sizes, hardware: { ...h200, latencySeconds } })
      const own = points.filter(({ batchPerRank }) => batchPerRank === batch)
      const speed = (point: (typeof own)[number]): number => point.tokensPerSecondPerRank
      return own.reduce((best, point) => (speed(point) > speed(best) ? point : best)).ranks
    }
    expect([8, 64, 512].map((batch) => fastest(0, batch))).toEqual([128, 128, 128])
    expect([8, 64, 512].map((batch) => fastest(40e-6, batch))).toEqual([4, 16, 128])
    const front = paretoFront(sweepExpertParallel({ ...setup, ...sizes }), throughputAndMemory)
    expect(new Set(front.map(({ ranks }) => ranks))).toEqual(new Set([8, 16, 32, 64, 128]))
  })

  test('a share of memory that is none is refused', () => {
    for (const usableShare of [0, 1.1, Number.NaN])
      expect(() => sweepExpertParallel({ ...setup, ranks: [1], batches: [1], usableShare })).toThrow(
        'sweepExpertParallel: usableShare must be above 0, and 1 at most',
      )
  })

  test('of equal points all stay', () => {
    expect(paretoFront([1, 3, 2, 3], [(x) => x])).toEqual([3, 3])
    expect(paretoFront([], [() => 0])).toEqual([])
  })
})
