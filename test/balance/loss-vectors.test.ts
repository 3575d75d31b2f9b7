import { auxLoss, pooledAuxLoss, sequenceAuxLoss, switchLoss, zLoss } from 'moesim'
import { describe, expect, test } from 'vitest'
import { expectClose } from '../golden.js'

describe('four tokens and eight experts, as Megatron-LM (d98e8a64) and transformers 5.18.0 compute them in float32', () => {
  const logits = Float32Array.of(
    ...[1.0, -0.5, 0.3, 2.0, -1.2, 0.7, 0.0, 0.9],
    ...[-0.3, 0.8, 1.5, -0.7, 0.4, 1.1, 0.2, -1.0],
    ...[0.6, 0.1, -0.9, 1.3, 1.8, -0.2, 0.5, -0.4],
    ...[2.2, 1.9, 0.0, -0.6, 0.3, 0.8, -1.1, 1.4],
  )
  const router = { numExperts: 8, topK: 2 }
  const printed = { abs: 2e-7, rel: 1e-7 }

  test.each([
    ['softmax', 1.1872802],
    ['sigmoid', 1.0504999],
    ['sqrtsoftplus', 1.0483638],
  ] as const)('auxLoss of %s is %d', (scoreFunction, wanted) => {
    const loss = auxLoss(logits, { ...router, scoreFunction })
    expectClose([loss.value], [wanted], printed, 'value')
    expect([...loss.load]).toEqual([2, 1, 1, 2, 1, 1, 0, 0])
  })

  test.each([
    ['softmax', [0.1688839, 0.1314899, 0.114967, 0.1745023, 0.1375964, 0.1164544, 0.0645364, 0.0915698]],
    ['sigmoid', [0.1439132, 0.1317927, 0.117919, 0.1266678, 0.1220784, 0.1375478, 0.104383, 0.1156981]],
  ] as const)('mean probabilities of %s', (scoreFunction, wanted) => {
    const { meanProbability } = auxLoss(logits, { ...router, scoreFunction })
    expectClose(meanProbability, wanted, printed, 'mean probability')
  })

  test('sequenceAuxLoss of two sequences whose tokens alternate', () => {
    const sequences = Int32Array.of(0, 1, 0, 1)
    const { value } = sequenceAuxLoss(logits, { ...router, scoreFunction: 'sigmoid', sequences })
    expectClose([value], [1.2295501], printed, 'value')
  })

  test('zLoss, and with two tokens of padding', () => {
    expectClose([zLoss(logits, router).value], [8.3623886], printed, 'all')
    const { value } = zLoss(logits, { ...router, valid: [1, 1, 0, 0] })
    expectClose([value], [7.6390243], printed, 'padded')
  })

  test('pooledAuxLoss falls when a second layer mirrors the first, for the two cancel', () => {
    const mirrored = logits.map((_, i) => logits[i - (i % 8) + 7 - (i % 8)])
    expectClose([pooledAuxLoss([logits], router).value], [2.3745604], printed, 'one layer')
    expectClose([pooledAuxLoss([logits, mirrored], router).value], [2.1160727], printed, 'two layers')
  })
})

describe('128 experts, 512 tokens: run in PyTorch', () => {
  const E = 128
  const logits = Float32Array.from({ length: 512 * E }, (_, i) => {
    const t = Math.floor(i / E)
    const e = i % E
    const x = Math.sin(12.9898 * (t + 1) + 78.233 * (e + 1)) * 43758.5453
    return 4 * (x - Math.floor(x)) - 2 + Math.cos(e + 1)
  })
  const router = { numExperts: E, topK: 6 }
  const printed = { abs: 0.5e-7, rel: 4 * 2 ** -24 } // seven digits of a float32 sum

  test.each([
    ['sigmoid', 1.3173796],
    ['softmax', 1.8694267],
  ] as const)('auxLoss of %s is %d', (scoreFunction, wanted) => {
    expectClose([auxLoss(logits, { ...router, scoreFunction }).value], [wanted], printed, 'value')
  })

  test('sequenceAuxLoss of 4 sequences of 128 tokens', () => {
    const sequences = Int32Array.from({ length: 512 }, (_, token) => token % 4)
    const { value } = sequenceAuxLoss(logits, { ...router, scoreFunction: 'sigmoid', sequences })
    expectClose([value], [1.3195322], printed, 'value')
  })

  test('zLoss', () => {
    expectClose([zLoss(logits, router).value], [32.3093834], printed, 'value')
  })
})

describe('the losses of DeepSpeed (edaa7221), run on CPU', () => {
  const printed = { abs: 2e-7 }
  const softmax = { scoreFunction: 'softmax' } as const

  test('topkgating, two of four experts', () => {
    const logits = Float32Array.of(
      ...[0.11, 0.2, 0.1, 0.3, 0.3, 0.4, 0.11, 0.1],
      ...[0.11, 0.1, 0.6, 0.5, 0.1, 0.11, 0.7, 0.8],
    )
    const loss = auxLoss(logits, { ...softmax, numExperts: 4, topK: 2 })
    expectClose([loss.value], [1.0334198], printed, 'value')
    expect([...loss.load]).toEqual([1, 2, 2, 3])
  })

  test('topkgating, three of six experts', () => {
    const logits = Float32Array.of(
      ...[0.5858, 0.4801, 0.6269, 0.5397, 0.9722, 0.7034, 0.5445, 0.6332, 0.4519, 0.6308, 0.0519, 0.645],
      ...[0.4874, 0.811, 0.7467, 0.8474, 0.0277, 0.3068, 0.857, 0.6714, 0.531, 0.3274, 0.4836, 0.9892],
    )
    const loss = auxLoss(logits, { ...softmax, numExperts: 6, topK: 3 })
    expectClose([loss.value], [1.0222818], printed, 'value')
  })

  test('topkgating without drops', () => {
    const logits = Float32Array.of(
      ...[0.95, 0.85, 0.9, 0.8, 0.7, 0.65, 0.75, 0.6],
      ...[0.5, 0.55, 0.45, 0.4, 0.35, 0.3, 0.25, 0.2],
    )
    const loss = auxLoss(logits, { ...softmax, numExperts: 4, topK: 2 })
    expectClose([loss.value], [1.0309159], printed, 'value')
    expect([...loss.load]).toEqual([4, 2, 2, 0])
  })

  test('top2gating counts first choices only, which is switchLoss', () => {
    const logits = Float32Array.of(0.1, 0.9, 0.2, 0.8, 0.1, 0.3, 0.4, 0.6, 0.5, 0.7, 0.2, 0.1)
    expectClose([switchLoss(logits, { numExperts: 3 }).value], [1.0760837], printed, 'value')
  })
})
