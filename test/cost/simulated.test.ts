import {
  contiguousRanks,
  crossing,
  expectedBytesPerToken,
  groupsTouched,
  groupsTouchedChances,
  sentTokens,
  streams,
  trafficOf,
} from 'moesim'
import { expect, test } from 'vitest'
import { distance, fair, times } from './fair.js'

// Means of what fair tokens read, touch and wait for stand in the table of figures.ts; here is the rest.

test.each([
  [128, 6, 4],
  [128, 6, 8],
  [128, 6, 64],
  [256, 8, 8],
  [256, 8, 64],
])(
  '%d experts, %d a token, %d groups: the share of tokens that touch each number of groups',
  (numExperts, topK, groups) => {
    const touched = groupsTouched(
      fair(streams(1)('fair'), 20000, numExperts, topK),
      contiguousRanks(numExperts, groups),
    )
    for (const [number, chance] of groupsTouchedChances({ numExperts, topK, groups }).entries()) {
      if (chance < 1e-3 || chance > 0.999) continue
      expect(
        Math.abs(
          distance(
            chance,
            Array.from(touched, (count) => Number(count === number)),
          ),
        ),
      ).toBeLessThan(3.5)
    }
  },
)

test('bytes that leave their rank agree with the expected within 3 standard errors', () => {
  const vector = { width: 2688, dispatch: 'fp8', combine: 'bf16' } as const
  const tokens = 256
  const map = { ranks: 8, expertRank: contiguousRanks(128, 8), tokenRank: contiguousRanks(tokens, 8) }
  const draws = streams(1)('bytes')
  const bytes = times(200, () => {
    const { dispatchBytes, combineBytes } = trafficOf(sentTokens(fair(draws, tokens, 128, 6), map), vector)
    return (crossing(dispatchBytes) + crossing(combineBytes)) / tokens
  })
  expect(
    Math.abs(distance(expectedBytesPerToken({ numExperts: 128, topK: 6, groups: 8, ...vector }), bytes)),
  ).toBeLessThan(3)
})
