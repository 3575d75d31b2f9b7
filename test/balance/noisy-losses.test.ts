import { adaptCoefficient, importanceLoss, loadImportanceLoss, noisyTopKLoss } from 'moesim'
import { describe, expect, test } from 'vitest'
import { expectClose } from '../golden.js'

// Four tokens, five experts, two chosen. Figures: FastMoE's NoisyGate and Tutel's load_importance_loss, restated in plain
// Python (float64, math.erfc).
const logits = Float64Array.of(
  ...[1, -0.5, 0.3, 0.75, -1.25, -0.25, 0.8, 0.5, -0.7, 0.4],
  ...[0.6, 0.1, -0.9, 0.3, 0.8, 1.2, 0.9, 0, -0.6, 0.25],
)
const noise = Float64Array.of(
  ...[0.2, -0.1, 0.4, -0.3, 0.5, -0.6, 0.1, 0.05, 0.2, -0.25],
  ...[0, 0.35, 0.15, -0.4, 0.3, -0.2, 0.45, -0.05, 0.1, 0.7],
)
const deviation = Float64Array.of(
  ...[0.5, 0.4, 0.6, 0.3, 0.7, 0.45, 0.55, 0.35, 0.65, 0.25],
  ...[0.8, 0.5, 0.4, 0.6, 0.3, 0.35, 0.75, 0.5, 0.45, 0.6],
)
const router = { numExperts: 5, topK: 2 }
const float64 = { rel: 1e-13 }

describe('noisy top-k gating', () => {
  const loss = noisyTopKLoss(logits, { ...router, noise, deviation })

  test('sums the gates of the chosen, and the chances of being chosen', () => {
    const importance = [1.4133824210826698, 1.17323515783466, 0.7909230898808154, 0, 0.6224593312018546]
    expectClose(loss.importance, importance, float64, 'importance')
    const load = [
      2.2388945449959383, 1.5147897617285828, 1.2654769696189991, 0.9021451569655484, 1.2609008831050814,
    ]
    expectClose(loss.load, load, float64, 'load')
    expectClose([loss.value], [0.5843552031633558], float64, 'value')
  })

  test('counts the chosen themselves when there is next to no noise', () => {
    const calm = { noise: new Float64Array(20), deviation: new Float64Array(20).fill(1e-9) }
    expect([...noisyTopKLoss(logits, { ...router, ...calm }).load]).toEqual([3, 2, 1, 1, 1])
  })

  test('has a load of T everywhere when all experts are chosen', () => {
    const all = noisyTopKLoss(logits, { numExperts: 5, topK: 5, noise, deviation })
    expect([...all.load]).toEqual([4, 4, 4, 4, 4])
  })

  test('lets every expert in that has fewer than K rivals, and no masked one', () => {
    const few = logits.map((logit, i) => (i % 5 < 2 ? logit : -Infinity))
    expect([...noisyTopKLoss(few, { ...router, noise, deviation }).load]).toEqual([4, 4, 0, 0, 0])
    const one = logits.map((logit, i) => (i % 5 < 1 ? logit : -Infinity))
    expect([...noisyTopKLoss(one, { ...router, noise, deviation }).load]).toEqual([4, 0, 0, 0, 0])
  })

  test('has nothing to balance in a single expert', () => {
    const { value, gradient } = noisyTopKLoss(Float64Array.of(1, 2), {
      numExperts: 1,
      topK: 1,
      noise: [0, 1],
      deviation: [1, 1],
    })
    expect([value, ...gradient].map(Math.abs)).toEqual([0, 0, 0])
  })
})

describe('Tutel’s load and importance loss', () => {
  test('is the mean of the two variations', () => {
    const { value } = loadImportanceLoss(logits, { ...router, noise, gateNoise: 1 })
    expectClose([value], [0.117331429489582], { rel: 1e-10 }, 'value')
  })

  test('needs no noise where the router added none', () => {
    const silent = loadImportanceLoss(logits, { ...router, gateNoise: 1 })
    expect(silent).toEqual(
      loadImportanceLoss(logits, { ...router, gateNoise: 1, noise: new Float64Array(20) }),
    )
  })

  test('loses its load half when logits are large, for it measures probabilities against a logit', () => {
    const large = logits.map((logit) => logit + 20)
    const half = importanceLoss(large, { numExperts: 5 }).value / 2
    expect(loadImportanceLoss(large, { ...router, gateNoise: 1 }).value).toBe(half)
    const shifted = noisyTopKLoss(large, { ...router, noise, deviation }).value
    expect(shifted).toBeCloseTo(noisyTopKLoss(logits, { ...router, noise, deviation }).value, 12)
  })

  test('counts every expert where fewer than K may be chosen', () => {
    const few = logits.map((logit, i) => (i % 5 < 1 ? logit : -Infinity))
    const half = importanceLoss(few, { numExperts: 5 }).value / 2
    expect(loadImportanceLoss(few, { ...router, gateNoise: 1 }).value).toBe(half)
  })
})

describe('importance', () => {
  test('of 10, 20, 30 and 40 has a squared variation of 4/15', () => {
    const row = [1, 2, 3, 4].map(Math.log)
    const tokens = Float64Array.from({ length: 400 }, (_, i) => row[i % 4])
    expect(importanceLoss(tokens, { numExperts: 4 }).value).toBeCloseTo(4 / 15, 11)
  })
})

describe('the adaptive coefficient of Skywork-MoE', () => {
  test('moves a hundredth of the way to a fifth of the drop rate', () => {
    expect(adaptCoefficient(0.005, 0.02)).toBeCloseTo(0.99 * 0.005 + 0.01 * 0.004, 18)
  })

  test('wants no more than 0.01, stays where it wants to be, and fades without drops', () => {
    expect(adaptCoefficient(0, 1)).toBeCloseTo(1e-4, 18)
    expect(adaptCoefficient(0.01, 0.5)).toBeCloseTo(0.01, 18)
    let coefficient = 0.01
    for (let step = 0; step < 1000; step++) coefficient = adaptCoefficient(coefficient, 0)
    expect(coefficient).toBeCloseTo(0.01 * 0.99 ** 1000, 12)
  })

  test('takes other constants', () => {
    expect(adaptCoefficient(0, 0.5, { ratio: 1, most: 1, decay: 0 })).toBe(0.5)
  })
})
