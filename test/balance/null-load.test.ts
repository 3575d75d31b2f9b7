import { auxLoss, meanNullLoad } from 'moesim'
import { describe, expect, test } from 'vitest'

describe('meanNullLoad', () => {
  test('counts every null expert as the mean of them, and leaves the real ones', () => {
    const load = Int32Array.of(5, 3, 4, 0, 2)
    expect([...meanNullLoad(load, 2)]).toEqual([5, 3, 2, 2, 2])
    expect([...meanNullLoad(load, 5)]).toEqual([...load])
    expect([...load]).toEqual([5, 3, 4, 0, 2])
  })

  test('makes a loss that does not care which null expert a token takes', () => {
    const logits = Float32Array.of(1, 0.5, 0, 0, 0.2, -1, 2, 2)
    const options = { numExperts: 4, topK: 2, scoreFunction: 'softmax' } as const
    const lossOf = (...load: number[]): number =>
      auxLoss(logits, { ...options, load: meanNullLoad(load, 2) }).value
    expect(lossOf(1, 1, 2, 0)).toBe(lossOf(1, 1, 0, 2))
    expect(lossOf(2, 1, 1, 0)).not.toBe(lossOf(1, 1, 1, 1))
  })

  test('refuses a number of real experts that there is not', () => {
    expect(() => meanNullLoad([1, 2], 0)).toThrow('meanNullLoad: numReal must be a whole number from 1 to 2')
    expect(() => meanNullLoad([1, 2], 3)).toThrow('meanNullLoad: numReal must be')
  })
})
