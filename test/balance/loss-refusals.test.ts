import {
  adaptCoefficient,
  addLosses,
  auxLoss,
  communicationLoss,
  deviceLoss,
  globalAuxLoss,
  InputError,
  loadImportanceLoss,
  noisyTopKLoss,
  pooledAuxLoss,
  sequenceAuxLoss,
  zLoss,
} from 'moesim'
import { describe, expect, test } from 'vitest'

const router = { numExperts: 4, topK: 2, scoreFunction: 'sigmoid' } as const
const logits = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8)
const ones = new Float32Array(8).fill(1)
const sequences = new Int32Array(2)

/** The same with one value replaced. */
const but = <A extends Float32Array | Float64Array>(all: A, at: number, value: number): A =>
  all.map((old, i) => (i === at ? value : old)) as A

const cases: [what: string, call: () => unknown, message: string][] = [
  ['no experts', () => zLoss(logits, { numExperts: 0 }), 'zLoss: numExperts must be a whole number from 1'],
  [
    'a ragged row',
    () => zLoss(logits, { numExperts: 3 }),
    'zLoss: logits must be a Float32Array or Float64Array',
  ],
  [
    'plain numbers',
    () => zLoss([1, 2] as unknown as Float32Array, { numExperts: 2 }),
    'zLoss: logits must be a Float32Array or Float64Array',
  ],
  [
    'NaN, and where',
    () => auxLoss(but(logits, 6, Number.NaN), router),
    'auxLoss: the logit of token 1 for expert 2 must be a number below +∞, in float32, got NaN',
  ],
  ['+∞', () => auxLoss(but(logits, 0, Infinity), router), 'token 0 for expert 0 must be a number below +∞'],
  [
    'a float64 beyond float32',
    () => auxLoss(Float64Array.of(0, 1e39, 0, 0), router),
    'token 0 for expert 1 must be a number below +∞, in float32, got 1e+39',
  ],
  [
    'a token that may go nowhere',
    () => zLoss(new Float32Array(4).fill(-Infinity), { numExperts: 4 }),
    'zLoss: token 0 must have a logit above −∞',
  ],
  [
    'a coefficient that is no number',
    () => auxLoss(logits, { ...router, coefficient: Number.NaN }),
    'auxLoss: coefficient must be a finite number',
  ],
  [
    'a mask of another length',
    () => auxLoss(logits, { ...router, valid: [1] }),
    'auxLoss: valid must hold a value for each of 2 tokens',
  ],
  [
    'an additive mask',
    () => auxLoss(logits, { ...router, valid: [0, -1e9] }),
    'auxLoss: valid must hold 0 and 1 only, got -1000000000',
  ],
  [
    'another score function',
    () => auxLoss(logits, { ...router, scoreFunction: 'relu' as 'sigmoid' }),
    'auxLoss: scoreFunction must be one of softmax, sigmoid, sqrtsoftplus, got "relu"',
  ],
  ['too large a K', () => auxLoss(logits, { ...router, topK: 5 }), 'topK must be a whole number from 1 to 4'],
  [
    'experts of another number of tokens',
    () => auxLoss(logits, { ...router, experts: Int32Array.of(0, 1, 2) }),
    'auxLoss: experts must hold as many for each of 2 tokens',
  ],
  [
    'an expert that does not exist',
    () => auxLoss(logits, { ...router, experts: Int32Array.of(0, 4) }),
    'auxLoss: experts must be from 0 to 3, or −1, each once a token, got 4',
  ],
  [
    'a load of other experts',
    () => auxLoss(logits, { ...router, load: [1, 2] }),
    'auxLoss: load must hold numExperts = 4 counts',
  ],
  [
    'a negative load',
    () => auxLoss(logits, { ...router, load: [1, -2, 3, 4] }),
    'auxLoss: load must hold numbers of at least 0, got -2',
  ],
  [
    'sequences of other tokens',
    () => sequenceAuxLoss(logits, { ...router, sequences: new Int32Array(3) }),
    'sequenceAuxLoss: sequences must hold one for each of 2 tokens',
  ],
  [
    'counts of other experts',
    () => globalAuxLoss(logits, router, new Float64Array(3)),
    'globalAuxLoss: before must hold numExperts = 4 counts',
  ],
  ['no layers', () => pooledAuxLoss([], router), 'pooledAuxLoss: there must be a layer'],
  [
    'more devices than experts',
    () => deviceLoss(logits, { ...router, devices: 5 }),
    'deviceLoss: devices must be a whole number from 1 to 4',
  ],
  [
    'devices that do not divide the experts',
    () => deviceLoss(logits, { ...router, devices: 3 }),
    'deviceLoss: devices must divide numExperts = 4',
  ],
  [
    'a limit above the devices',
    () => communicationLoss(logits, { ...router, devices: 2, deviceLimit: 3 }),
    'communicationLoss: deviceLimit must be a whole number from 1 to 2',
  ],
  [
    'noise of another shape',
    () => noisyTopKLoss(logits, { ...router, noise: [1], deviation: ones }),
    'noisyTopKLoss: noise must hold 2 tokens × 4 experts',
  ],
  [
    'noise that is not finite',
    () => noisyTopKLoss(logits, { ...router, noise: but(ones, 3, Infinity), deviation: ones }),
    'noisyTopKLoss: noise must be finite',
  ],
  [
    'no deviation',
    () => noisyTopKLoss(logits, { ...router, noise: ones, deviation: but(ones, 3, 0) }),
    'noisyTopKLoss: deviation must be finite and above 0',
  ],
  [
    'a K above the experts, with noise',
    () => noisyTopKLoss(logits, { ...router, topK: 5, noise: ones, deviation: ones }),
    'noisyTopKLoss: topK must be a whole number from 1 to 4',
  ],
  [
    'no gate noise',
    () => loadImportanceLoss(logits, { ...router, gateNoise: 0 }),
    'loadImportanceLoss: gateNoise must be finite and above 0',
  ],
  [
    'a K above the experts, in Tutel’s loss',
    () => loadImportanceLoss(logits, { ...router, topK: 5, gateNoise: 1 }),
    'loadImportanceLoss: topK must be a whole number from 1 to 4',
  ],
  ['nothing to add', () => addLosses([]), 'addLosses: there must be a loss'],
  [
    'losses of different batches',
    () => addLosses([auxLoss(logits, router), auxLoss(logits.slice(0, 4), router)]),
    'addLosses: gradients must be of one length, 8',
  ],
  ['a count for a rate', () => adaptCoefficient(0.01, 12), 'adaptCoefficient: dropRate must be from 0 to 1'],
  ['a negative rate', () => adaptCoefficient(0.01, -1), 'adaptCoefficient: dropRate must be from 0 to 1'],
  [
    'a negative coefficient',
    () => adaptCoefficient(-1, 0),
    'coefficient must be a finite number of at least 0',
  ],
  ['an endless ratio', () => adaptCoefficient(0, 0, { ratio: Infinity }), 'ratio must be a finite number'],
  ['a negative limit', () => adaptCoefficient(0, 0, { most: -1 }), 'most must be a finite number'],
  [
    'a decay above 1',
    () => adaptCoefficient(0, 0, { decay: 2 }),
    'adaptCoefficient: decay must be from 0 to 1',
  ],
]

describe('losses refuse', () => {
  test.each(cases)('%s', (_, call, message) => {
    expect(call).toThrow(InputError)
    expect(call).toThrow(message)
  })

  test('but take any number for a sequence', () => {
    expect(sequenceAuxLoss(logits, { ...router, sequences }).sequences).toEqual(Int32Array.of(0))
  })
})
