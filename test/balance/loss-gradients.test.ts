import fc from 'fast-check'
import {
  auxLoss,
  communicationLoss,
  deviceLoss,
  entropyLoss,
  globalAuxLoss,
  gshardLoss,
  importanceLoss,
  type Loss,
  loadImportanceLoss,
  noisyTopKLoss,
  pooledAuxLoss,
  sequenceAuxLoss,
  switchLoss,
  zLoss,
} from 'moesim'
import { describe, expect, test } from 'vitest'

const T = 4
const E = 6
const K = 2

/** What a loss may need beside its logits. */
interface World {
  logits: Float64Array
  noise: Float64Array
  deviation: Float64Array
  sequences: Int32Array
  valid: Uint8Array
  before: Float64Array
}

const array = (values: fc.Arbitrary<number>, length: number): fc.Arbitrary<Float64Array> =>
  fc.noBias(fc.array(values, { minLength: length, maxLength: length })).map((list) => Float64Array.from(list))
// doubles of fast-check are dense around 0, where all would tie: take even steps
const between = (min: number, max: number): fc.Arbitrary<number> =>
  fc.integer({ min: 0, max: 1e6 }).map((step) => min + ((max - min) * step) / 1e6)
const whole = (max: number): fc.Arbitrary<Float64Array> => array(fc.integer({ min: 0, max }), T)

const worlds: fc.Arbitrary<World> = fc
  .record({
    logits: array(between(-4, 4), T * E),
    noise: array(between(-0.5, 0.5), T * E),
    deviation: array(between(0.3, 2), T * E),
    sequences: whole(2).map((list) => Int32Array.from(list)),
    valid: whole(3).map((list) => Uint8Array.from(list, (value, t) => (value > 0 || t === 0 ? 1 : 0))),
    before: array(fc.integer({ min: 0, max: 9 }), E),
  })
  // Counts jump where two logits tie; stay clear of that, with and without noise.
  .filter(({ logits, noise }) => clear(logits) && clear(logits.map((logit, i) => logit + noise[i])))

/** Whether the K + 2 largest of each row stand well apart: the smooth load has the (K + 1)th as a threshold. */
const clear = (logits: Float64Array): boolean =>
  Array.from({ length: T }, (_, t) => logits.slice(t * E, (t + 1) * E).sort()).every((row) =>
    row.slice(E - K - 2).every((logit, i, best) => i === 0 || logit - best[i - 1] > 0.02),
  )

/** The derivative by each logit, from differences of fourth order: off by h⁴ and by rounding over h, some 1e-12 here. */
function differences(lossAt: (logits: Float64Array) => number, logits: Float64Array): Float64Array {
  const h = 2 ** -9
  return logits.map((_, i) => {
    const at = (steps: number): number => {
      const moved = logits.slice()
      moved[i] += steps * h
      return lossAt(moved)
    }
    return (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * h)
  })
}

const scoreFunctions = ['softmax', 'sigmoid', 'sqrtsoftplus'] as const
type Case = [name: string, loss: (world: World, logits: Float64Array) => Loss<Float64Array>]

const scored = scoreFunctions.flatMap((scoreFunction): Case[] => {
  const router = { numExperts: E, topK: K, scoreFunction }
  return [
    [`auxLoss, ${scoreFunction}`, ({ valid }, logits) => auxLoss(logits, { ...router, valid })],
    [
      `sequenceAuxLoss, ${scoreFunction}`,
      ({ valid, sequences }, logits) => sequenceAuxLoss(logits, { ...router, valid, sequences }),
    ],
    [
      `globalAuxLoss, ${scoreFunction}`,
      ({ before, valid }, logits) => globalAuxLoss(logits, { ...router, valid }, before),
    ],
    [`deviceLoss, ${scoreFunction}`, (_, logits) => deviceLoss(logits, { ...router, devices: 3 })],
    [
      `communicationLoss, ${scoreFunction}`,
      ({ valid }, logits) => communicationLoss(logits, { ...router, valid, devices: 3, deviceLimit: 2 }),
    ],
  ]
})

const others: Case[] = [
  ['switchLoss', ({ valid }, logits) => switchLoss(logits, { numExperts: E, valid })],
  ['gshardLoss', ({ valid }, logits) => gshardLoss(logits, { numExperts: E, valid, coefficient: 100 })],
  ['zLoss', ({ valid }, logits) => zLoss(logits, { numExperts: E, valid, coefficient: 0.1 })],
  ['entropyLoss', ({ valid }, logits) => entropyLoss(logits, { numExperts: E, valid })],
  ['importanceLoss', ({ valid }, logits) => importanceLoss(logits, { numExperts: E, valid })],
  [
    'noisyTopKLoss',
    ({ valid, noise, deviation }, logits) =>
      noisyTopKLoss(logits, { numExperts: E, topK: K, valid, noise, deviation }),
  ],
  [
    'loadImportanceLoss',
    ({ valid, noise }, logits) =>
      loadImportanceLoss(logits, { numExperts: E, topK: K, valid, noise, gateNoise: 6 }),
  ],
  [
    'pooledAuxLoss, by the second of three layers',
    ({ valid, noise, before }, logits) => {
      const other = noise.map((value, i) => value + before[i % E])
      const loss = pooledAuxLoss([other, logits, noise], { numExperts: E, topK: K, valid })
      return { value: loss.value, gradient: loss.gradients[1] }
    },
  ],
]

describe('every gradient agrees with central differences of its value', () => {
  test.each([...scored, ...others])('%s', (_, lossOf) => {
    fc.assert(
      fc.property(worlds, (world) => {
        const { gradient } = lossOf(world, world.logits)
        const wanted = differences((logits) => lossOf(world, logits).value, world.logits)
        const size = Math.max(...wanted.map(Math.abs))
        const holds = wanted.map((slope, i) => {
          return Number(Math.abs(gradient[i] - slope) < 1e-6 * Math.abs(slope) + 1e-9 * size + 1e-12)
        })
        expect(holds).not.toContain(0)
      }),
      { numRuns: 8, endOnFailure: true },
    )
  })
})
