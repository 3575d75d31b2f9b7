import {
  balancedAssignment,
  baseLayer,
  causalRouting,
  expertChoice,
  futureLeakage,
  gaussian,
  leakageBound,
  leakageCapacity,
  route,
  sinkhorn,
  streams,
} from 'moesim'
import { describe, expect, test } from 'vitest'

const numExperts = 16
const context = { step: 0, layer: 0, tokens: 128, random: streams(1) }
const batch = {
  ...gaussian({ numExperts })(context),
  positions: Int32Array.from({ length: 128 }, (_, i) => i),
}
const bias = new Float32Array(numExperts)
const perExpert =
  (topK: number) =>
  ({ tokens }: { tokens: number }) =>
    Math.ceil((topK * tokens) / numExperts)

describe('what expert choice can leak', () => {
  test('is bounded as published: 50 bits for 9 layers of 2 out of 16, 599.7 for 23 of 6 out of 128', () => {
    expect(leakageBound({ numExperts: 16, topK: 2, layers: 9 })).toBeCloseTo(50.5324, 4)
    expect(leakageBound({ numExperts: 128, topK: 6, layers: 23 })).toBeCloseTo(599.7, 1)
  })

  test('is at most N · H₂(R): 8.70 bits a layer for 2 out of 16, never below the bound', () => {
    expect(leakageCapacity({ numExperts: 16, topK: 2 })).toBeCloseTo(8.697, 3)
    expect(leakageCapacity({ numExperts: 16, topK: 2, layers: 9 })).toBeCloseTo(78.27, 2)
    for (const topK of [0.5, 1, 4, 8, 12, 15]) {
      expect(leakageCapacity({ numExperts: 16, topK })).toBeGreaterThan(
        leakageBound({ numExperts: 16, topK }),
      )
    }
    expect(leakageBound({ numExperts: 16, topK: 12 })).toBe(0)
  })

  test.each([0, 16, Number.NaN])('refuses %d of 16 experts', (topK) => {
    expect(() => leakageBound({ numExperts: 16, topK })).toThrow(
      'leakageBound: topK must be above 0 and below 16',
    )
    expect(() => leakageCapacity({ numExperts: 16, topK })).toThrow('leakageCapacity: topK must be')
  })
})

describe('what a routing takes from later tokens', () => {
  test('is nothing for a top-k router', () => {
    const router = { numExperts, topK: 2, scoreFunction: 'softmax', normalize: false, scale: 1 } as const
    const topK = ({ logits }: { logits?: Float32Array }) => route(logits as Float32Array, router)
    expect(causalRouting(topK, batch, bias, context)).toEqual(topK(batch))
    expect(futureLeakage(topK, batch, bias, context)).toMatchObject({
      differingTokens: 0,
      differingSlotShare: 0,
    })
  })

  test('is counted as in a hand-made case', () => {
    // Each expert takes half of the tokens. All at once: 0 takes the first two, 1 the last two. Token by token: the first,
    // alone, gets both; the second gets 1, as 0 has room for the first only; the others get 1.
    const router = expertChoice({ numExperts: 2, capacity: ({ tokens }) => Math.ceil(tokens / 2) })
    const logits = Float32Array.of(3, 0, 1, 0, -1, 0, -2, 0)
    const found = futureLeakage(router, { tokens: 4, logits }, new Float32Array(2), context)
    expect(found).toMatchObject({ differingTokens: 2, differingTokenShare: 0.5, differingSlotShare: 0.25 })
  })

  test('is much for expert choice, Sinkhorn and BASE', () => {
    const routers = [
      expertChoice({ numExperts, capacity: perExpert(2) }),
      sinkhorn({ numExperts, topK: 2 }),
      baseLayer({ numExperts }),
    ]
    const shares = routers.map((router) => futureLeakage(router, batch, bias, context).differingTokenShare)
    for (const share of shares) expect(share).toBeGreaterThan(0.05)
  })

  test('routes each token by the batch up to it, whatever the batch holds', () => {
    const seen: number[][] = []
    const router = expertChoice({ numExperts, capacity: perExpert(2) })
    causalRouting(
      (part, b, c) => {
        seen.push([part.tokens, c.tokens, part.positions?.length ?? -1, part.logits?.length ?? -1])
        return router(part, b, c)
      },
      {
        ...batch,
        tokens: 2,
        logits: batch.logits?.subarray(0, 32) as Float32Array,
        positions: Int32Array.of(5, 6),
      },
      bias,
      { ...context, tokens: 2 },
    )
    expect(seen.slice(0, 2)).toEqual([
      [1, 1, 1, 16],
      [2, 2, 2, 32],
    ])
  })

  test('is nothing for no token', () => {
    const router = expertChoice({ numExperts, capacity: 1 })
    const empty = { tokens: 0, logits: new Float32Array(0) }
    expect(futureLeakage(router, empty, bias, context)).toMatchObject({ tokens: 0, differingTokenShare: 0 })
    expect(balancedAssignment(empty.logits, numExperts).experts).toHaveLength(0)
  })
})
