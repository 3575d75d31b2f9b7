import { type DomainOptions, domains, gaussian, hiddenDomains, streams } from 'moesim'
import { describe, expect, test } from 'vitest'
import { withoutWebAssembly } from '../kernels/plain.js'

const at = (tokens: number, layer = 0, step = 0) => ({ tokens, layer, step, random: streams(1) })
const half = { mixture: { a: 1, b: 1 }, sequenceLength: 1 } satisfies DomainOptions

describe('domains', () => {
  /** What is left of a batch without its noise, which is that of gaussian: the centre of each token, [T, E]. */
  function centres(options: DomainOptions, numExperts: number, layer = 0, step = 0) {
    const place = at(64, layer, step)
    const batch = domains({ ...options, numExperts })(place)
    const noise = gaussian({ numExperts })(place).logits!
    return {
      ofToken: batch.domains!,
      rows: Array.from({ length: 64 }, (_, token) =>
        Array.from(
          { length: numExperts },
          (_, e) => batch.logits![token * numExperts + e] - noise[token * numExperts + e],
        ),
      ),
    }
  }
  /** Float32 logits below 8 are off by 2^-22 at most, and so are those of the noise. */
  const expectEqual = (a: number[], b: number[]) =>
    a.forEach((value, i) => expect(Math.abs(value - b[i])).toBeLessThan(2 ** -20))

  test('without a preference are gaussian tokens, bit for bit', () => {
    const { logits } = domains({ ...half, numExperts: 5, preference: 0 })(at(9, 2, 3))
    expect(logits).toEqual(gaussian({ numExperts: 5 })(at(9, 2, 3)).logits)
  })

  test('are the same without WebAssembly, whatever the length of a sequence', () => {
    for (const sequenceLength of [1, 7, 64, 1000]) {
      const draw = () => domains({ numExperts: 130, sequenceLength })(at(700, 1, 2)).logits
      expect(Buffer.compare(Buffer.from(draw()!.buffer), Buffer.from(withoutWebAssembly(draw)!.buffer))).toBe(
        0,
      )
    }
  })

  test('have one centre each, the same at every step and another in every layer', () => {
    const { ofToken, rows } = centres(half, 4)
    const centre = [0, 1].map((domain) => rows[ofToken.indexOf(domain)])
    rows.forEach((row, token) => expectEqual(row, centre[ofToken[token]]))
    expect(Math.abs(centre[0][0] - centre[1][0])).toBeGreaterThan(0.01)
    const later = centres(half, 4, 0, 17)
    later.rows.forEach((row, token) => expectEqual(row, centre[later.ofToken[token]]))
    const other = centres(half, 4, 1)
    expect(Math.abs(other.rows[other.ofToken.indexOf(0)][0] - centre[0][0])).toBeGreaterThan(0.01)
  })

  test('stand as far apart as the preference says', () => {
    const [once, twice] = [1, 2].map((preference) => centres({ ...half, preference }, 4).rows)
    once.forEach((row, token) =>
      expectEqual(
        twice[token],
        row.map((value) => 2 * value),
      ),
    )
    const wide = centres(half, 5000).rows[0]
    const square = wide.reduce((sum, value) => sum + value * value, 0) / 5000
    expect(Math.abs(square - 1)).toBeLessThan(4.5 * Math.sqrt(2 / 5000))
  })

  test('come in sequences, the last of which a batch cuts short; each has a number of its own', () => {
    const workload = domains({ mixture: { a: 1, b: 1, c: 1 }, sequenceLength: 4, numExperts: 2 })
    const batch = workload(at(10, 0, 2))
    expect([...batch.positions!]).toEqual([0, 1, 2, 3, 0, 1, 2, 3, 0, 1])
    expect([...batch.sequences!]).toEqual([6, 6, 6, 6, 7, 7, 7, 7, 8, 8])
    expect(batch.domains).toHaveLength(10)
    expect(workload(at(0))).toMatchObject({
      tokens: 0,
      logits: new Float32Array(0),
      domains: new Int32Array(0),
    })
  })

  test('know shares by their proportion only, and leave out a share of 0', () => {
    const drawn = (mixture: Record<string, number>) =>
      domains({ mixture, sequenceLength: 1, numExperts: 2 })(at(500)).domains!
    expect(drawn({ a: 75, b: 25 })).toEqual(drawn({ a: 3, b: 1 }))
    expect(new Set(drawn({ none: 0, a: 1, nothing: 0, b: 1, zero: 0 }))).toEqual(new Set([1, 3]))
  })

  test('are the same however many sequences follow, where these are of one length', () => {
    const workload = domains({ mixture: { a: 1, b: 1 }, sequenceLength: 4, numExperts: 3 })
    const [few, more] = [workload(at(8)), workload(at(20))]
    expect(more.domains!.slice(0, 8)).toEqual(few.domains)
    expect(more.logits!.slice(0, 24)).toEqual(few.logits)
  })
})

describe('hidden domains', () => {
  test('are the same clusters, in hidden states', () => {
    const { hidden, ...origin } = hiddenDomains({ ...half, hiddenSize: 6 })(at(9, 1, 2))
    const { logits, ...same } = domains({ ...half, numExperts: 6 })(at(9, 1, 2))
    expect(hidden).toEqual(logits)
    expect(origin).toEqual(same)
  })

  test('are refused without a width', () => {
    expect(() => hiddenDomains({ hiddenSize: 0 })).toThrow('hiddenDomains: hiddenSize must be a whole number')
  })
})
