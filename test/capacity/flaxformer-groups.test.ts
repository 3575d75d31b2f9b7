import fc from 'fast-check'
import { flaxformerGroups } from 'moesim'
import { describe, expect, test } from 'vitest'

describe('flaxformerGroups', () => {
  test.each([
    [4096, 1024, 4, 1, 4],
    [4096, 4096, 8, 1, 8], // a group for each expert at least
    [4096, 512, 2, 3, undefined], // 4096 has no factor of 3
    [960, 100, 4, 1, 12], // 9 at least: of 4, 8, 12 the first that is; 12 divides 960
    [96, 10, 2, 2, 12], // 9 at least
    [10, 4, 1, 1, 2], // ⌊10 / 4⌋: groups of 5, larger than asked for
    [4, 1, 8, 1, undefined],
    [10, 100, 4, 1, undefined], // flaxformer: 10, which 4 does not divide
  ])('%d tokens, %d a group, %d experts of %d copies', (tokens, mostTokens, numExperts, replicas, wanted) => {
    const groups = () => flaxformerGroups(tokens, { mostTokens, numExperts, replicas })
    if (wanted !== undefined) expect(groups()).toBe(wanted)
    else expect(groups).toThrow('flaxformerGroups: tokens must have a divisor that is a multiple of')
  })

  test('is the smallest of all numbers that qualify', () => {
    const size = fc.integer({ min: 1, max: 64 })
    fc.assert(
      fc.property(size, size, fc.integer({ min: 1, max: 8 }), (tokens, mostTokens, numExperts) => {
        const all = Array.from({ length: tokens }, (_, i) => i + 1).filter(
          (n) => tokens % n === 0 && n % numExperts === 0 && n >= Math.floor(tokens / mostTokens),
        )
        const groups = () => flaxformerGroups(tokens, { mostTokens, numExperts })
        if (all.length > 0) expect(groups()).toBe(all[0])
        else expect(groups).toThrow('must have a divisor')
      }),
    )
  })

  test('refuses what is no size, and an option that is unknown', () => {
    const options = { mostTokens: 4, numExperts: 2 }
    expect(() => flaxformerGroups(0, options)).toThrow('flaxformerGroups: tokens must be')
    expect(() => flaxformerGroups(8, { ...options, mostTokens: 0 })).toThrow(
      'flaxformerGroups: mostTokens must be',
    )
    expect(() => flaxformerGroups(8, { ...options, numExperts: 0 })).toThrow(
      'flaxformerGroups: numExperts must be',
    )
    expect(() => flaxformerGroups(8, { ...options, replicas: 0 })).toThrow(
      'flaxformerGroups: replicas must be',
    )
    const stray = { ...options, copies: 2 }
    expect(() => flaxformerGroups(8, stray)).toThrow('must have only the fields of its kind, got "copies"')
  })
})
