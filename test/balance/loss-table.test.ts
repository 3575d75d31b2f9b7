import {
  auxLoss,
  communicationLoss,
  deviceLoss,
  entropyLoss,
  globalAuxLoss,
  gshardLoss,
  importanceLoss,
  loadImportanceLoss,
  noisyTopKLoss,
  pooledAuxLoss,
  sequenceAuxLoss,
  switchLoss,
  zLoss,
} from 'moesim'
import { describe, expect, test } from 'vitest'

/** A batch of E tokens, all of one sequence, and the router that sees it. */
interface World {
  numExperts: number
  topK: number
  scoreFunction: 'softmax'
  logits: Float64Array
  sequences: Int32Array
  devices: number
  deviceLimit: number
}

interface Row {
  name: string
  value: (logits: Float64Array, world: Omit<World, 'logits'>) => number
  atBalance: (world: World) => number
  atCollapse: (world: World) => number
}

const noise = (logits: Float64Array): Float64Array => new Float64Array(logits.length)
const deviation = (logits: Float64Array): Float64Array => new Float64Array(logits.length).fill(1)

/** What README tells of each loss: keep the two alike. */
const rows: Row[] = [
  {
    name: 'auxLoss',
    value: (logits, world) => auxLoss(logits, world).value,
    atBalance: () => 1,
    atCollapse: ({ numExperts, topK }) => numExperts / topK,
  },
  {
    name: 'sequenceAuxLoss',
    value: (logits, world) => sequenceAuxLoss(logits, world).value,
    atBalance: () => 1,
    atCollapse: ({ numExperts, topK }) => numExperts / topK,
  },
  {
    name: 'globalAuxLoss',
    value: (logits, world) => globalAuxLoss(logits, world).value,
    atBalance: () => 1,
    atCollapse: ({ numExperts, topK }) => numExperts / topK,
  },
  {
    name: 'switchLoss',
    value: (logits, world) => switchLoss(logits, world).value,
    atBalance: ({ topK }) => topK,
    atCollapse: ({ numExperts }) => numExperts,
  },
  {
    name: 'pooledAuxLoss',
    value: (logits, world) => pooledAuxLoss([logits, logits], world).value,
    atBalance: ({ topK }) => topK,
    atCollapse: ({ numExperts }) => numExperts,
  },
  {
    name: 'gshardLoss',
    value: (logits, world) => gshardLoss(logits, world).value,
    atBalance: ({ numExperts }) => 1 / numExperts ** 2,
    atCollapse: ({ numExperts }) => 1 / numExperts,
  },
  {
    name: 'deviceLoss',
    value: (logits, world) => deviceLoss(logits, world).value,
    atBalance: () => 1,
    atCollapse: ({ devices }) => devices,
  },
  {
    name: 'communicationLoss',
    value: (logits, world) => communicationLoss(logits, world).value,
    atBalance: () => 1,
    atCollapse: ({ devices, deviceLimit }) => devices / deviceLimit,
  },
  {
    name: 'importanceLoss',
    value: (logits, world) => importanceLoss(logits, world).value,
    atBalance: () => 0,
    atCollapse: ({ numExperts }) => numExperts,
  },
  {
    name: 'noisyTopKLoss',
    value: (logits, world) =>
      noisyTopKLoss(logits, { ...world, noise: noise(logits), deviation: deviation(logits) }).value,
    atBalance: () => 0,
    // CV² of importance, and of a load of T for each of K experts
    atCollapse: ({ numExperts: E, topK: K }) => E + (E * (E - K)) / (K * (E - 1)),
  },
  {
    name: 'loadImportanceLoss',
    value: (logits, world) => loadImportanceLoss(logits, { ...world, gateNoise: 1 }).value,
    atBalance: () => 0,
    atCollapse: ({ numExperts }) => numExperts / 2, // its load half has vanished: see the function
  },
  {
    name: 'entropyLoss',
    value: (logits, world) => entropyLoss(logits, world).value,
    atBalance: ({ numExperts }) => Math.log(numExperts),
    atCollapse: () => 0,
  },
  {
    name: 'zLoss',
    value: (logits, world) => zLoss(logits, world).value,
    atBalance: ({ numExperts }) => Math.log(numExperts) ** 2,
    atCollapse: () => 300 ** 2, // the square of the largest logit
  },
]

interface Size {
  numExperts: number
  topK: number
  devices: number
}

/** E tokens with these logits. Every token may go to as many devices as experts. */
const world = ({ numExperts: E, topK, devices }: Size, logitOf: (t: number, e: number) => number): World => ({
  numExperts: E,
  topK,
  scoreFunction: 'softmax',
  logits: Float64Array.from({ length: E * E }, (_, i) => logitOf(Math.floor(i / E), i % E)),
  sequences: new Int32Array(E),
  devices,
  deviceLimit: topK,
})

/** Token t prefers experts t, t + E/D, t + 2 E/D …, each on a device of its own, by a hair. */
function balanced(size: Size): World {
  const step = size.numExperts / size.devices
  return world(size, (t, e) => {
    const ahead = (e - t + size.numExperts) % size.numExperts
    return ahead % step === 0 && ahead < size.topK * step ? 1e-5 : 0
  })
}

/** All tokens are sure of expert 0, and K − 1 neighbours on its device fill their other places. */
const collapsed = (size: Size): World => world(size, (_, e) => (e === 0 ? 300 : e < size.topK ? 250 : 0))

describe.each([
  { numExperts: 8, topK: 2, devices: 4 },
  { numExperts: 128, topK: 6, devices: 8 },
  { numExperts: 16, topK: 1, devices: 4 },
])('of $numExperts experts, $topK chosen, on $devices devices', (size) => {
  test.each(rows)(
    '$name is what the table says at balance and at collapse',
    ({ value, atBalance, atCollapse }) => {
      const figureOf = ({ logits, ...rest }: World): number => value(logits, rest)
      const figures: [number, number][] = [
        [figureOf(balanced(size)), atBalance(balanced(size))],
        [figureOf(collapsed(size)), atCollapse(collapsed(size))],
      ]
      for (const [computed, stated] of figures) {
        expect(Math.abs(computed - stated)).toBeLessThan(1e-5 * Math.abs(stated) + 1e-9)
      }
    },
  )
})
