import {
  contiguousRanks,
  crossing,
  distinctExperts,
  expectedBytesPerToken,
  expectedDistinctExperts,
  expectedGroupsTouched,
  expectedStraggler,
  groupsTouched,
  groupsTouchedChances,
  loadOf,
  maxOverMean,
  type Routing,
  sentTokens,
  streams,
  trafficOf,
} from 'moesim'
import { expect, test } from 'vitest'

/** Every token chooses K of E experts, each set with the same chance. */
function fair(tokens: number, numExperts: number, topK: number, seed: number): Routing {
  const draws = streams(seed)('fair')
  const deck = Int32Array.from({ length: numExperts }, (_, e) => e)
  const experts = new Int32Array(tokens * topK)
  for (let slot = 0; slot < experts.length; slot++) {
    const k = slot % topK
    const other = k + draws.below(numExperts - k)
    const chosen = deck[other]
    deck[other] = deck[k]
    deck[k] = chosen
    experts[slot] = chosen
  }
  return { tokens, topK, numExperts, experts, weights: new Float32Array(experts.length), dropped: 0 }
}

/** Mean of the samples, and how far it is from `wanted` in its standard errors. */
function against(wanted: number, samples: readonly number[]): number {
  const mean = samples.reduce((sum, x) => sum + x, 0) / samples.length
  const variance = samples.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (samples.length - 1)
  expect(variance).toBeGreaterThan(0)
  return Math.abs(mean - wanted) / Math.sqrt(variance / samples.length)
}

const times = <T>(n: number, make: (seed: number) => T): T[] =>
  Array.from({ length: n }, (_, seed) => make(seed))

test.each([
  [128, 6, 16],
  [128, 8, 32],
  [32, 4, 8],
  [256, 8, 64],
  [512, 22, 16],
])(
  '%d experts, %d a token, %d tokens: experts read agree within 3 standard errors',
  (numExperts, topK, tokens) => {
    const read = times(400, (seed) => distinctExperts(fair(tokens, numExperts, topK, seed)))
    expect(against(expectedDistinctExperts({ numExperts, topK, tokens }), read)).toBeLessThan(3)
  },
)

test.each([
  [128, 6, 4],
  [128, 6, 8],
  [128, 6, 64],
  [256, 8, 8],
  [256, 8, 64],
])(
  '%d experts, %d a token, %d groups: groups touched agree within 3 standard errors, and the share of each number',
  (numExperts, topK, groups) => {
    const touched = groupsTouched(fair(20000, numExperts, topK, 1), contiguousRanks(numExperts, groups))
    expect(against(expectedGroupsTouched({ numExperts, topK, groups }), [...touched])).toBeLessThan(3)
    for (const [number, chance] of groupsTouchedChances({ numExperts, topK, groups }).entries()) {
      if (chance < 1e-3 || chance > 0.999) continue
      expect(
        against(
          chance,
          Array.from(touched, (count) => Number(count === number)),
        ),
      ).toBeLessThan(3.5)
    }
  },
)

test.each([
  [64, 8, 64, 8, 4000],
  [64, 8, 64, 16, 4000],
  [64, 8, 4096, 8, 100],
  [64, 8, 4096, 64, 100],
  [128, 6, 4096, 16, 100],
])(
  '%d experts, %d a token, %d tokens on %d ranks: the straggler agrees within 3 standard errors',
  (numExperts, topK, tokens, ranks, batches) => {
    const place = contiguousRanks(numExperts, ranks)
    const factors = times(batches, (seed) => {
      const load = new Int32Array(ranks)
      for (const [expert, count] of loadOf(fair(tokens, numExperts, topK, seed)).entries())
        load[place[expert]] += count
      return maxOverMean(load)
    })
    expect(against(expectedStraggler({ numExperts, topK, tokens, ranks }), factors)).toBeLessThan(3)
  },
)

test('bytes that leave their rank agree with the expected within 3 standard errors', () => {
  const vector = { width: 2688, dispatch: 'fp8', combine: 'bf16' } as const
  const tokens = 256
  const map = { ranks: 8, expertRank: contiguousRanks(128, 8), tokenRank: contiguousRanks(tokens, 8) }
  const bytes = times(200, (seed) => {
    const { dispatchBytes, combineBytes } = trafficOf(sentTokens(fair(tokens, 128, 6, seed), map), vector)
    return (crossing(dispatchBytes) + crossing(combineBytes)) / tokens
  })
  expect(
    against(expectedBytesPerToken({ numExperts: 128, topK: 6, groups: 8, ...vector }), bytes),
  ).toBeLessThan(3)
})
