import { expectedMaxViolation, replayTraining, type TrainingLoad } from 'moesim'
import { describe, expect, test } from 'vitest'

/** Steps 4, 5 and 8 of one layer of two experts, whose bias moves by 0.5. */
const recorded: TrainingLoad = {
  steps: Int32Array.of(4, 5, 8),
  layers: 1,
  layerIndices: [4],
  numExperts: 2,
  counts: Int32Array.of(6, 2, 4, 4, 2, 6),
  bias: Float32Array.of(0, 0, -0.5, 0.5, 3, -3),
  rate: 0.5,
  tokensPerStep: 8,
  topK: 1,
}

describe('replayTraining', () => {
  test('makes the bias of each next step from the load before it, where both are recorded', () => {
    const { pairs, differingPairs } = replayTraining(recorded)
    expect([pairs, differingPairs]).toEqual([1, 0]) // 4 → 5; between 5 and 8 there are steps that nobody recorded
  })

  test('counts a pair in which a single bit differs', () => {
    const bias = recorded.bias.slice()
    bias[2] = -0.50000006
    expect(replayTraining({ ...recorded, bias })).toMatchObject({ pairs: 1, differingPairs: 1 })
  })

  test('gives MaxVio of each batch beside what chance gives', () => {
    const { maxViolation, maxViolationByLayer, expectedMaxViolation: chance } = replayTraining(recorded)
    expect([...maxViolation]).toEqual([0.5, 0, 0.5])
    expect([...maxViolationByLayer]).toEqual([0.5, 0, 0.5])
    expect(chance).toBe(expectedMaxViolation({ tokens: 8, numExperts: 2, topK: 1 }))
  })
})
