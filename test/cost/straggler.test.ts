import { expectedMaxViolation, expectedStraggler, gaussianStraggler, idleShare } from 'moesim'
import { expect, test } from 'vitest'

const any = { tokens: 64, numExperts: 64, topK: 8, ranks: 8 }

test('one expert a rank is MaxVio of the experts', () => {
  for (const tokens of [8, 64, 1024]) {
    const sizes = { tokens, numExperts: 64, topK: 8 }
    expect(expectedStraggler({ ...sizes, ranks: 64 })).toBeCloseTo(1 + expectedMaxViolation(sizes), 12)
  }
})

test('nothing is waited for where nothing is left to chance', () => {
  for (const form of [expectedStraggler, gaussianStraggler]) {
    expect(form({ ...any, ranks: 1 })).toBe(1)
    expect(form({ ...any, topK: 64 })).toBe(1)
    expect(form({ ...any, tokens: 0 })).toBe(1)
    expect(form({ numExperts: 1, topK: 1, ranks: 1, tokens: 5 })).toBe(1)
  }
})

test('falls with tokens, rises with ranks, and the closed form joins it for many tokens', () => {
  const factors = [64, 256, 1024, 4096, 65536].map((tokens) => expectedStraggler({ ...any, tokens }))
  expect([...factors].sort((a, b) => b - a)).toEqual(factors)
  expect(expectedStraggler({ ...any, ranks: 16 })).toBeGreaterThan(expectedStraggler(any))
  const many = { ...any, tokens: 1e6 }
  expect(expectedStraggler(many)).toBeCloseTo(gaussianStraggler(many), 5)
})

test('stays finite where almost every expert is chosen', () => {
  for (const [numExperts, topK, ranks] of [
    [1024, 1022, 2],
    [2, 1, 2],
    [9, 8, 3],
    [128, 127, 128],
  ]) {
    for (const tokens of [1, 2, 3, 4]) {
      const factor = expectedStraggler({ numExperts, topK, ranks, tokens })
      expect(factor).toBeGreaterThanOrEqual(1 - 1e-12)
      expect(factor).toBeLessThanOrEqual(ranks)
    }
  }
})

test('a factor of 2 leaves ranks idle half the time', () => {
  expect([1, 2, 4].map(idleShare)).toEqual([0, 0.5, 0.75])
})

test('is refused of what is no batch', () => {
  expect(() => expectedStraggler({ ...any, tokens: -1 })).toThrow('expectedStraggler: tokens must be')
  expect(() => gaussianStraggler({ ...any, numExperts: 0 })).toThrow('gaussianStraggler: numExperts must be')
  expect(() => expectedStraggler({ ...any, topK: 65 })).toThrow('topK must be a whole number from 1 to 64')
  expect(() => expectedStraggler({ ...any, ranks: 65 })).toThrow('ranks must be a whole number from 1 to 64')
  expect(() => expectedStraggler({ ...any, ranks: 7 })).toThrow('numExperts must be a multiple of ranks = 7')
})
