import { domains, InputError, type Mixture, nemotronMixture, streams } from 'moesim'
import { describe, expect, test } from 'vitest'

describe('a mixture', () => {
  test('of Nemotron 3 Nano has 15 categories that sum to 100 percent, and cannot be changed', () => {
    const shares = Object.values(nemotronMixture)
    expect(shares).toHaveLength(15)
    expect(shares.reduce((sum, share) => sum + share, 0)).toBe(100)
    expect(Object.isFrozen(nemotronMixture)).toBe(true)
  })

  test.each<[Mixture, string, unknown]>([
    [{}, 'mixture: there must be at least one domain', {}],
    [{ a: 1, b: -1 }, "mixture: the share of 'b' must be a finite number of at least 0", -1],
    [{ a: Infinity }, "mixture: the share of 'a' must be a finite number of at least 0", Infinity],
    [{ a: Number.NaN }, "mixture: the share of 'a' must be a finite number of at least 0", Number.NaN],
    [{ a: 0, b: 0 }, 'mixture: at least one share must be above 0', 0],
  ])('%o is refused, with rule, value and remedy', (mixture, rule, value) => {
    const workload = domains({ mixture, numExperts: 2 })
    try {
      workload({ tokens: 1, layer: 0, step: 0, random: streams(1) })
      expect.fail('should have been refused')
    } catch (error) {
      expect(error).toBeInstanceOf(InputError)
      expect(error).toMatchObject({ rule, value, remedy: expect.stringMatching(/\.$/) })
    }
  })
})
