import {
  biasBalance,
  coefficientOfVariation,
  loadOf,
  maxViolation,
  nemotron3Nano,
  route,
  routerOf,
} from 'moesim'
import { describe, expect, test } from 'vitest'
import { expectClose } from '../golden.js'

// 128 experts, top-6, scale 2.5: run in PyTorch and again in plain JavaScript, with equal indices, counts and biases.
const router = routerOf(nemotron3Nano)
const E = 128

// Weights agreed within 1e-7 and are printed with 7 digits; figures come from float32 and are printed with 6.
const printedWeight = { abs: 1e-7 + 0.5e-7 }
const printedFigure = { abs: 0.5e-6 + 2 ** -23 }

/** logit(t, e) = fround(4 · frac(sin(12.9898 (t + 1) + 78.233 (e + 1)) · 43758.5453) − 2 + cos(e + 1)). */
function logitsOf(tokens: number): Float32Array {
  return Float32Array.from({ length: tokens * E }, (_, i) => {
    const t = Math.floor(i / E)
    const e = i % E
    const x = Math.sin(12.9898 * (t + 1) + 78.233 * (e + 1)) * 43758.5453
    return 4 * (x - Math.floor(x)) - 2 + Math.cos(e + 1)
  })
}

describe('the full-size vector', () => {
  test('routes the first tokens as recorded, without a bias', () => {
    const logits = logitsOf(4)
    expectClose(
      logits.subarray(0, 4),
      [1.5006416, -2.1205304, -1.3103925, 0.6479906],
      { abs: 5e-8 },
      'logits',
    )
    const { experts, weights } = route(logits, router)
    expect([...experts]).toEqual([
      ...[93, 30, 100, 113, 67, 5, 12, 93, 18, 6, 119, 50],
      ...[74, 11, 106, 55, 31, 119, 68, 100, 75, 25, 5, 50],
    ])
    const first = [0.4263735, 0.425519, 0.4180761, 0.4145403, 0.4096596, 0.4058314]
    const last = [0.4188498, 0.4180849, 0.4176737, 0.4164228, 0.414926, 0.4140428]
    expectClose(weights.subarray(0, 6), first, printedWeight, 'token 0')
    expectClose(weights.subarray(18), last, printedWeight, 'token 3')
  })

  test('routes them as recorded with a bias of 0.2 sin(e)', () => {
    const bias = Float32Array.from({ length: E }, (_, e) => 0.2 * Math.sin(e))
    const { experts, weights } = route(logitsOf(4), router, bias)
    expect([...experts]).toEqual([
      ...[7, 70, 108, 82, 126, 113, 70, 39, 13, 107, 64, 50],
      ...[89, 76, 82, 102, 69, 119, 1, 38, 70, 102, 101, 25],
    ])
    const first = [0.4152753, 0.4004102, 0.3826174, 0.4385186, 0.4137302, 0.4494483]
    const last = [0.4080786, 0.4561002, 0.396688, 0.3628225, 0.4094542, 0.4668564]
    expectClose(weights.subarray(0, 6), first, printedWeight, 'token 0')
    expectClose(weights.subarray(18), last, printedWeight, 'token 3')
  })

  // step: largest and smallest load, MaxVio, CV, first biases by Megatron-LM's rule and by torchtitan's centred one
  const recorded: [number, number, number, number, number, number[], number[]][] = [
    [0, 109, 0, 3.541667, 1.405498, [0, 0, 0, 0], [0, 0, 0, 0]],
    [1, 106, 0, 3.416667, 1.391658, [-0.001, 0.001, 0.001, 0.001], [-0.001313, 0.000687, 0.000687, 0.000687]],
    [10, 104, 0, 3.333333, 1.299174, [-0.01, 0.01, 0.01, 0.01], [-0.012727, 0.007273, 0.007273, 0.007273]],
    [50, 90, 0, 2.75, 0.972132, [-0.045, 0.05, 0.05, 0.05], [-0.049227, 0.045773, 0.045773, 0.045773]],
    [100, 62, 0, 1.583333, 0.464156, [-0.081, 0.033, 0.1, 0.082], [-0.072445, 0.041555, 0.108555, 0.090555]],
    [200, 29, 20, 0.208333, 0.065675, [-0.091, 0.02, 0.13, 0.071], [-0.076344, 0.034656, 0.144656, 0.085656]],
  ]

  test.each([
    ['Megatron-LM', false],
    ['torchtitan', true],
  ] as const)('comes into balance in 200 steps of 512 tokens by the rule of %s', (_, center) => {
    const logits = logitsOf(512)
    const rule = biasBalance({ rate: 1e-3, center })
    let state = rule.init(E)
    for (let step = 0; step <= 200; step++) {
      const load = loadOf(route(logits, router, rule.bias(state)))
      const row = recorded.find(([at]) => at === step)
      if (row) {
        const [, largest, smallest, violation, variation, plain, centred] = row
        expect([Math.max(...load), Math.min(...load)], `step ${step}`).toEqual([largest, smallest])
        const figures = [maxViolation(load), coefficientOfVariation(load)]
        expectClose(figures, [violation, variation], printedFigure, `figures at step ${step}`)
        expectClose(
          rule.bias(state).subarray(0, 4),
          center ? centred : plain,
          { abs: 6e-7 },
          `bias at step ${step}`,
        )
      }
      if (step === 0) {
        expect(load[49]).toBe(109)
        expect([...load.subarray(0, 16)]).toEqual([34, 0, 0, 0, 5, 78, 47, 0, 0, 0, 1, 72, 94, 2, 0, 0])
      }
      state = rule.update(state, load)
    }
  })
})
