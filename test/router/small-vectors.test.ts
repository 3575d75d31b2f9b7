import { loadOf, type RouterConfig, route } from 'moesim'
import { describe, expect, test } from 'vitest'
import { expectClose } from '../golden.js'

// Four tokens, eight experts: computed by running Megatron-LM (d98e8a64) and transformers 5.18.0 on CPU in float32.
const logits = Float32Array.of(
  ...[1.0, -0.5, 0.3, 2.0, -1.2, 0.7, 0.0, 0.9],
  ...[-0.3, 0.8, 1.5, -0.7, 0.4, 1.1, 0.2, -1.0],
  ...[0.6, 0.1, -0.9, 1.3, 1.8, -0.2, 0.5, -0.4],
  ...[2.2, 1.9, 0.0, -0.6, 0.3, 0.8, -1.1, 1.4],
)
const bias = Float32Array.of(0.1, -0.05, 0, -0.3, 0.05, 0.2, 0, -0.15)

const softmax = { numExperts: 8, topK: 2, scoreFunction: 'softmax', normalize: false, scale: 1 } as const
const sigmoid = { numExperts: 8, topK: 2, scoreFunction: 'sigmoid', normalize: true, scale: 1 } as const
const sqrtsoftplus = { ...sigmoid, scoreFunction: 'sqrtsoftplus' } as const
const groups = { numGroups: 4, topGroups: 2 }
const unbiased = [3, 0, 2, 5, 4, 3, 0, 1]

type Case = [name: string, router: RouterConfig, biased: boolean, experts: number[], weights: number[]]
const cases: Case[] = [
  [
    'softmax after top-k',
    { ...softmax, softmaxOrder: 'afterTopK' },
    false,
    unbiased,
    [0.7310586, 0.2689414, 0.5986876, 0.4013123, 0.6224594, 0.3775407, 0.5744426, 0.4255575],
  ],
  [
    'softmax before top-k',
    softmax,
    false,
    unbiased,
    [0.4142247, 0.1523848, 0.3194383, 0.2141259, 0.3736524, 0.2266316, 0.3578062, 0.2650693],
  ],
  [
    'softmax before top-k, scaled',
    { ...softmax, scale: 2.5 },
    false,
    unbiased,
    [1.0355618, 0.3809619, 0.7985957, 0.5353147, 0.934131, 0.5665791, 0.8945155, 0.6626734],
  ],
  [
    'sigmoid',
    sigmoid,
    false,
    unbiased,
    [0.5464491, 0.4535509, 0.5214673, 0.4785327, 0.5219935, 0.4780065, 0.508575, 0.491425],
  ],
  [
    'sigmoid of one expert keeps the raw score when not normalised, as Megatron-LM does',
    { ...sigmoid, topK: 1, normalize: false },
    false,
    [3, 2, 4, 0],
    [0.880797, 0.8175744, 0.8581489, 0.9002495],
  ],
  [
    'sigmoid of one expert, normalised to the letter',
    { ...sigmoid, topK: 1 },
    false,
    [3, 2, 4, 0],
    [1, 1, 1, 1],
  ],
  [
    'sigmoid with bias: the recipe of Nemotron 3',
    { ...sigmoid, topK: 3, scale: 2.5 },
    true,
    [5, 0, 3, 5, 2, 4, 4, 0, 5, 0, 5, 1],
    [
      ...[0.7326481, 0.8015841, 0.9657679, 0.8657424, 0.943418, 0.6908395],
      ...[1.0979549, 0.8260822, 0.575963, 0.9148448, 0.7011606, 0.8839946],
    ],
  ],
  [
    'sqrtsoftplus with bias',
    sqrtsoftplus,
    true,
    [5, 0, 5, 2, 4, 0, 0, 1],
    [0.4782248, 0.5217752, 0.4745128, 0.5254871, 0.5784165, 0.4215835, 0.5153037, 0.4846964],
  ],
  [
    'sigmoid with bias in groups',
    { ...sigmoid, ...groups, topK: 4, scale: 2.5 },
    true,
    [0, 3, 2, 1, 5, 4, 1, 0, 4, 0, 5, 1, 0, 5, 1, 4],
    [
      ...[0.7128555, 0.8588654, 0.5601391, 0.36814, 0.7610735, 0.6073164, 0.6999189, 0.431691],
      ...[0.8654357, 0.6511388, 0.4539886, 0.529437, 0.7416644, 0.5684307, 0.7166542, 0.4732505],
    ],
  ],
  [
    'groups scored by their maximum, as Megatron-LM does for ⌊K / topGroups⌋ = 1',
    { ...sigmoid, ...groups, groupScoreTop: 1 },
    true,
    [5, 0, 5, 2, 4, 0, 0, 5],
    [0.477534, 0.5224659, 0.4785327, 0.5214673, 0.5706517, 0.4293484, 0.5661149, 0.4338851],
  ],
  [
    'the same groups scored by their two best, as Hugging Face does',
    { ...sigmoid, ...groups, scale: 2.5 },
    true,
    [0, 3, 5, 4, 4, 0, 0, 5],
    [1.1338773, 1.3661227, 1.3904543, 1.1095457, 1.4266291, 1.0733709, 1.4152873, 1.0847127],
  ],
]

describe('small vectors', () => {
  test.each(cases)('%s', (name, router, biased, experts, weights) => {
    const routing = route(logits, router, biased ? bias : undefined)
    expect([...routing.experts]).toEqual(experts)
    expectClose(routing.weights, weights, { abs: 2e-7 }, name)
  })

  test('two experts a token give the recorded counts', () => {
    expect([...loadOf(route(logits, sigmoid))]).toEqual([2, 1, 1, 2, 1, 1, 0, 0])
  })
})
