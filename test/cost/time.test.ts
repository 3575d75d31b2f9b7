import fc from 'fast-check'
import {
  computeBoundTokens,
  computeBoundTokensOf,
  contiguousRanks,
  expertGemms,
  flopsPerSecondIn,
  type Hardware,
  hardware,
  moeLayerCost,
  noOverlap,
  sentAssignments,
  sharedExpertOverlap,
  twoBatchOverlap,
} from 'moesim'
import { describe, expect, test } from 'vitest'
import { routingOf } from '../capacity/routings.js'

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

  test('a record of your own is ten lines of data', () => {
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
    expect(computeBoundTokens(own, { weights: 'bf16', activations: 'bf16' })).toBe(100)
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
    const { load, straggler, ranks, seconds } = moeLayerCost(routing, setup)
    expect([...load]).toEqual([6, 1])
    expect(straggler).toBeCloseTo(12 / 7, 12)
    expect(ranks.map(({ weightBytes }) => weightBytes)).toEqual([2 * 9977856, 9977856])
    expect(seconds.expertSeconds).toBe(ranks[0].seconds)
    expect(seconds).toMatchObject({ denseSeconds: 0, sharedSeconds: 0 })
  })

  test('sends what is asked for, and back', () => {
    const once = moeLayerCost(routing, setup).seconds
    expect(once.dispatchSeconds).toBe((2 * 2688) / 450e9)
    expect(once.combineSeconds).toBe(2 * once.dispatchSeconds)
    const slow = moeLayerCost(routing, {
      ...setup,
      sent: sentAssignments,
      latencySeconds: 1e-6,
      steps: 3,
    }).seconds
    expect(slow.dispatchSeconds).toBeCloseTo(3e-6 + once.dispatchSeconds, 15)
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
    expect(cost.straggler).toBe(1)
  })
})
