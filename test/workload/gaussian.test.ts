import fc from 'fast-check'
import { gaussian, hiddenGaussian, normalQuantile, streams } from 'moesim'
import { describe, expect, test } from 'vitest'

const at = (tokens: number, layer = 0, step = 0, seed = 1) => ({
  tokens,
  layer,
  step,
  random: streams(seed),
})

/** Mean and standard deviation of each expert's logits. */
function moments(logits: Float32Array, numExperts: number): { mean: number; deviation: number }[] {
  return Array.from({ length: numExperts }, (_, e) => {
    const own = logits.filter((_, i) => i % numExperts === e)
    const mean = own.reduce((sum, x) => sum + x, 0) / own.length
    const variance = own.reduce((sum, x) => sum + (x - mean) ** 2, 0) / own.length
    return { mean, deviation: Math.sqrt(variance) }
  })
}

describe('gaussian tokens', () => {
  const many = 20_000
  const standardErrors = 4.5

  test.each<[string, object, number[], number]>([
    ['are fair unless told otherwise', {}, [0, 0, 0], 1],
    ['have the mean logits asked for', { offsets: [-2, 0.25, 3] }, [-2, 0.25, 3], 1],
    ['have the spread asked for', { offsets: [1, 2, 3], spread: 0.5 }, [1, 2, 3], 0.5],
    ['are skewed by normal quantiles', { skew: 0.5 }, [-0.4837108, 0, 0.4837108], 1], // 0.5 · Φ⁻¹(1/6) …
    ['want the last expert least where the skew is below 0', { skew: -1 }, [0.9674216, 0, -0.9674216], 1],
    ['prefer offsets to a skew', { skew: 9, offsets: [0, 0, 1] }, [0, 0, 1], 1],
  ])('%s', (_, options, means, spread) => {
    const { tokens, logits } = gaussian({ numExperts: 3, ...options })(at(many))
    expect(tokens).toBe(many)
    moments(logits!, 3).forEach(({ mean, deviation }, e) => {
      expect(Math.abs(mean - means[e])).toBeLessThan((standardErrors * spread) / Math.sqrt(many))
      expect(Math.abs(deviation - spread)).toBeLessThan((standardErrors * spread) / Math.sqrt(2 * many))
    })
  })

  test('are nothing but their offsets where the spread is 0', () => {
    const numExperts = 4
    const { logits } = gaussian({ numExperts, skew: 2, spread: 0 })(at(2))
    const row = [0.125, 0.375, 0.625, 0.875].map((p) => Math.fround(2 * normalQuantile(p)))
    expect([...logits!]).toEqual([...row, ...row])
  })

  test('keep the offsets they were made with', () => {
    const offsets = [1, 2]
    const workload = gaussian({ numExperts: 2, offsets, spread: 0 })
    offsets[0] = 99
    expect([...workload(at(1)).logits!]).toEqual([1, 2])
  })

  test('are the same however many follow them, and in whatever order steps and layers are asked for', () => {
    const place = fc.record({ tokens: fc.nat(9), more: fc.nat(9), layer: fc.nat(3), step: fc.nat(1000) })
    fc.assert(
      fc.property(place, fc.integer({ min: 1, max: 9 }), ({ tokens, more, layer, step }, numExperts) => {
        const workload = gaussian({ numExperts, skew: 0.3 })
        const random = streams(7)
        const later = workload({ tokens: tokens + more, layer, step: step + 1, random })
        const alone = workload(at(tokens, layer, step, 7)).logits!
        expect(
          workload({ tokens: tokens + more, layer, step, random }).logits!.slice(0, alone.length),
        ).toEqual(alone)
        if (tokens > 0) expect(later.logits!.slice(0, alone.length)).not.toEqual(alone)
      }),
    )
  })

  test('are others in another layer and for another seed', () => {
    const workload = gaussian({ numExperts: 4 })
    const { logits } = workload(at(8))
    expect(workload(at(8, 1)).logits).not.toEqual(logits)
    expect(workload(at(8, 0, 0, 2)).logits).not.toEqual(logits)
  })

  test.each<[object, string]>([
    [{ numExperts: 0 }, 'gaussian: numExperts must be a whole number from 1 to 1048576, got 0.'],
    [{ numExperts: 2.5 }, 'gaussian: numExperts must be a whole number'],
    [{ skew: Number.NaN }, 'gaussian: skew must be a finite number, got NaN.'],
    [{ spread: Infinity }, 'gaussian: spread must be a finite number, got Infinity.'],
    [{ offsets: [1, 2, 3] }, 'gaussian: offsets must hold numExperts = 4 values, got an array of 3.'],
  ])('refuse %o', (change, message) => {
    expect(() => gaussian({ numExperts: 4, ...change })).toThrow(message)
  })
})

describe('gaussian hidden states', () => {
  test('are the numbers of gaussian logits of that width', () => {
    const options = { offsets: [0.5, -1, 2], spread: 0.7 }
    const { tokens, hidden, logits } = hiddenGaussian({ hiddenSize: 3, ...options })(at(9, 1, 4))
    expect(hidden).toEqual(gaussian({ numExperts: 3, ...options })(at(9, 1, 4)).logits)
    expect([tokens, logits]).toEqual([9, undefined])
    const fair = hiddenGaussian({ hiddenSize: 5 })(at(7)).hidden
    expect(fair).toEqual(gaussian({ numExperts: 5 })(at(7)).logits)
  })

  test.each<[string, unknown]>([
    ['hiddenSize must be a whole number', { hiddenSize: 0 }],
    ['spread must be a finite number', { hiddenSize: 2, spread: Number.NaN }],
    ['offsets must hold hiddenSize = 2 values', { hiddenSize: 2, offsets: [1] }],
    ['must have only the fields of its kind', { hiddenSize: 2, skew: 1 }],
  ])('are refused where %s', (rule, options) => {
    expect(() => hiddenGaussian(options as { hiddenSize: number })).toThrow(`hiddenGaussian: `)
    expect(() => hiddenGaussian(options as { hiddenSize: number })).toThrow(rule)
  })
})
