import fc from 'fast-check'
import { loadOf, type RouterConfig, route } from 'moesim'
import { describe, expect, test } from 'vitest'
import { rowsOf } from '../routings.js'

/** Logits, biases and a router that fit one another; multiples of 1/64, so that float32 adds them exactly. */
const cases = fc
  .record({ numGroups: fc.integer({ min: 1, max: 4 }), groupSize: fc.integer({ min: 1, max: 9 }) })
  .chain(({ numGroups, groupSize }) => {
    const numExperts = numGroups * groupSize
    return fc
      .record({ tokens: fc.integer({ min: 0, max: 12 }), topGroups: fc.integer({ min: 1, max: numGroups }) })
      .chain(({ tokens, topGroups }) =>
        fc.record({
          logits: float32s(tokens * numExperts, 8),
          bias: float32s(numExperts, 1),
          router: fc.record({
            numExperts: fc.constant(numExperts),
            topK: fc.integer({ min: 1, max: topGroups * groupSize }),
            scoreFunction: fc.constantFrom('sigmoid', 'softmax', 'sqrtsoftplus'),
            normalize: fc.boolean(),
            scale: fc.constantFrom(1, 2.5),
            numGroups: fc.constant(numGroups),
            topGroups: fc.constant(topGroups),
            groupScoreTop: fc.integer({ min: 1, max: groupSize }),
          }) satisfies fc.Arbitrary<RouterConfig>,
        }),
      )
  })

const float32s = (length: number, limit: number): fc.Arbitrary<Float32Array> =>
  fc
    .array(fc.integer({ min: -64 * limit, max: 64 * limit }), { minLength: length, maxLength: length })
    .map((sixtyFourths) => Float32Array.from(sixtyFourths, (n) => n / 64))

describe('laws of routing', () => {
  test('every token gets K distinct experts, and no assignment is lost', () => {
    fc.assert(
      fc.property(cases, ({ logits, router, bias }) => {
        const routing = route(logits, router, bias)
        for (const row of rowsOf(routing)) {
          expect(new Set(row).size).toBe(router.topK)
          expect(Math.min(...row)).toBeGreaterThanOrEqual(0)
        }
        const total = loadOf(routing).reduce((sum, count) => sum + count, 0)
        expect(total).toBe(routing.tokens * router.topK)
      }),
    )
  })

  test('a token stays within topGroups groups', () => {
    fc.assert(
      fc.property(cases, ({ logits, router, bias }) => {
        const groupSize = router.numExperts / router.numGroups
        for (const row of rowsOf(route(logits, router, bias))) {
          expect(new Set(row.map((expert) => Math.floor(expert / groupSize))).size).toBeLessThanOrEqual(
            router.topGroups,
          )
        }
      }),
    )
  })

  test('normalised weights sum to the scale', () => {
    fc.assert(
      fc.property(cases, ({ logits, router, bias }) => {
        const { tokens, weights } = route(logits, { ...router, normalize: true }, bias)
        for (let token = 0; token < tokens; token++) {
          const row = weights.subarray(token * router.topK, (token + 1) * router.topK)
          expect(row.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(router.scale, 5)
        }
      }),
    )
  })

  test('a bias that leaves the selection as it is leaves the weights as they are, bit for bit', () => {
    fc.assert(
      fc.property(cases, ({ logits, router, bias }) => {
        const plain = route(logits, router)
        const biased = route(logits, router, bias)
        const plainRows = rowsOf(plain)
        rowsOf(biased).forEach((row, token) => {
          if (row.join() !== plainRows[token].join()) return
          const slots = [token * router.topK, (token + 1) * router.topK] as const
          expect(biased.weights.slice(...slots)).toEqual(plain.weights.slice(...slots))
        })
      }),
    )
  })

  test('the weight of an expert is that of its score alone: raw scores do not depend on the bias at all', () => {
    fc.assert(
      fc.property(cases, ({ logits, router, bias }) => {
        const raw = { ...router, normalize: false }
        const all = route(logits, { ...raw, topK: router.numExperts, topGroups: router.numGroups })
        const scoreOf = new Map<string, number>()
        rowsOf(all).forEach((row, token) => {
          row.forEach((expert, slot) =>
            scoreOf.set(`${token} ${expert}`, all.weights[token * router.numExperts + slot]),
          )
        })
        const biased = route(logits, raw, bias)
        rowsOf(biased).forEach((row, token) => {
          row.forEach((expert, slot) =>
            expect(biased.weights[token * router.topK + slot]).toBe(scoreOf.get(`${token} ${expert}`)),
          )
        })
      }),
    )
  })

  test('a constant added to every bias changes nothing', () => {
    // Logits of 0 or −∞ keep sigmoid scores at exactly ½, so that score + bias + constant is exact in float32.
    const exact = cases.map(({ logits, ...rest }) => ({
      ...rest,
      logits: logits.map((x) => (x < -4 ? -Infinity : 0)),
    }))
    fc.assert(
      fc.property(exact, fc.integer({ min: -128, max: 128 }), ({ logits, router, bias }, sixtyFourths) => {
        const sigmoid = { ...router, scoreFunction: 'sigmoid' } as const
        const shifted = bias.map((value) => value + sixtyFourths / 64)
        expect(route(logits, sigmoid, shifted)).toEqual(route(logits, sigmoid, bias))
      }),
    )
  })

  test('raising one bias never lowers that expert’s load, without groups', () => {
    fc.assert(
      fc.property(
        cases,
        fc.nat(),
        fc.integer({ min: 1, max: 64 }),
        ({ logits, router, bias }, which, sixtyFourths) => {
          const ungrouped = { ...router, numGroups: 1, topGroups: 1, groupScoreTop: 1 }
          const expert = which % router.numExperts
          const raised = bias.map((value, e) => (e === expert ? value + sixtyFourths / 64 : value))
          const before = loadOf(route(logits, ungrouped, bias))[expert]
          expect(loadOf(route(logits, ungrouped, raised))[expert]).toBeGreaterThanOrEqual(before)
        },
      ),
    )
  })

  test('permuting the experts permutes the result, where no two keys tie', () => {
    fc.assert(
      fc.property(cases, fc.infiniteStream(fc.nat()), ({ logits, router }, random) => {
        const { numExperts: E } = router
        const ungrouped = {
          ...router,
          scoreFunction: 'sigmoid',
          numGroups: 1,
          topGroups: 1,
          groupScoreTop: 1,
        } as const
        const order = Array.from({ length: E }, (_, e) => ({ e, at: random.next().value }))
          .sort((a, b) => a.at - b.at || a.e - b.e)
          .map(({ e }) => e)
        const apart = logits.map((_, i) => ((i * 7919) % 613) / 100 - 3) // distinct within a row
        const permuted = apart.map((_, i) => apart[i - (i % E) + order[i % E]])
        const plain = route(apart, ungrouped)
        const moved = route(permuted, ungrouped)
        expect(moved.experts.map((expert) => order[expert])).toEqual(plain.experts)
        expect(moved.weights).toEqual(plain.weights)
      }),
    )
  })
})
