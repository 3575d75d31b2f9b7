import fc from 'fast-check'
import {
  hashRouter,
  InputError,
  loadOf,
  maskPadding,
  moduloHashTable,
  type RouterConfig,
  randomHashTable,
  routeAt,
  streams,
} from 'moesim'
import { describe, expect, test } from 'vitest'
import { rowsOf } from '../routings.js'
import { fiveErrors, run } from './run.js'

const router: RouterConfig = {
  numExperts: 8,
  topK: 3,
  scoreFunction: 'sqrtsoftplus',
  normalize: true,
  scale: 2.5,
}
const table = moduloHashTable({ vocabulary: 10, numExperts: 8, topK: 3 })
const tokenIds = Int32Array.of(0, 1, 2, 9, 1)

describe('hashRouter', () => {
  test('sends a token where the table says, whatever its logits and the bias', () => {
    const logits = Float32Array.from({ length: 40 }, (_, i) => (i % 7) - 3)
    const routing = run(
      hashRouter(router, table),
      { tokens: 5, tokenIds, logits },
      { bias: new Float32Array(8).fill(9) },
    )
    expect(rowsOf(routing)).toEqual([
      [0, 1, 2],
      [3, 4, 5],
      [6, 7, 0],
      [3, 4, 5],
      [3, 4, 5],
    ])
    expect(routing).toEqual(routeAt(logits, routing.experts, router))
    expect(new Set(routing.weights).size).toBeGreaterThan(2)
  })

  test('weighs the experts of a batch without logits equally', () => {
    const { weights } = run(hashRouter({ ...router, scale: 1 }, table), { tokens: 5, tokenIds })
    expect([...weights]).toEqual(new Array(15).fill(Math.fround(1 / 3)))
  })

  test('leaves padding, and any other masked expert, without', () => {
    const logits = maskPadding(new Float32Array(40), [1, 0, 1, 1, 1])
    logits[2 * 8 + 7] = -Infinity
    const { experts, weights } = run(hashRouter(router, table), { tokens: 5, tokenIds, logits })
    expect([...experts.subarray(0, 9)]).toEqual([0, 1, 2, -1, -1, -1, 6, -1, 0])
    expect([...weights.subarray(3, 9)]).toEqual([0, 0, 0, 1.25, 0, 1.25])
  })

  test('takes a batch of no tokens', () => {
    expect(run(hashRouter(router, table), { tokens: 0, tokenIds: new Int32Array(0) }).experts).toHaveLength(0)
  })

  test.each([
    ['an expert that does not exist', Int32Array.of(0, 1, 8)],
    ['a negative expert', Int32Array.of(0, 1, -1)],
    ['an expert twice for one id', Int32Array.of(0, 1, 2, 4, 5, 4)],
    ['rows of another length', Int32Array.of(0, 1)],
    ['no rows', new Int32Array(0)],
    ['an array that is no Int32Array', [0, 1, 2] as unknown as Int32Array],
  ])('refuses a table with %s', (_, bad) => {
    expect(() => hashRouter(router, bad)).toThrow(InputError)
    expect(() => hashRouter(router, bad)).toThrow(/^hashRouter: /)
  })

  test('refuses token ids that are missing, too few or beyond the table', () => {
    const routed = (ids?: Int32Array) => () =>
      run(hashRouter(router, table), ids ? { tokens: 2, tokenIds: ids } : { tokens: 2 })
    expect(routed()).toThrow('hashRouter: the batch must have a token id for each of 2 tokens')
    expect(routed(Int32Array.of(1))).toThrow('a token id for each of 2 tokens')
    expect(routed(Int32Array.of(1, 10))).toThrow('token ids must be from 0 to 9, as the table has it, got 10')
    expect(routed(Int32Array.of(-1, 0))).toThrow('token ids must be from 0 to 9')
  })
})

describe('hash tables', () => {
  test('modulo: table[t][j] = (t · K + j) mod E', () => {
    expect([...table]).toEqual(Array.from({ length: 30 }, (_, i) => (Math.floor(i / 3) * 3 + (i % 3)) % 8))
  })

  test('random: K distinct experts for each id, a matter of the seed alone, and each expert as often as the next', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }), fc.nat(), (a, b, seed) => {
        const options = { vocabulary: 50, numExperts: Math.max(a, b), topK: Math.min(a, b) }
        const made = randomHashTable({ ...options, random: streams(seed) })
        expect(made).toEqual(randomHashTable({ ...options, random: streams(seed) }))
        for (let id = 0; id < 50; id++) {
          const row = made.subarray(id * options.topK, (id + 1) * options.topK)
          expect(new Set(row).size).toBe(options.topK)
        }
        expect(() =>
          hashRouter({ ...router, numExperts: options.numExperts, topK: options.topK }, made),
        ).not.toThrow()
      }),
    )
    const many = randomHashTable({ vocabulary: 20_000, numExperts: 8, topK: 3, random: streams(3) })
    const load = loadOf({
      tokens: 20_000,
      topK: 3,
      numExperts: 8,
      experts: many,
      weights: new Float32Array(0),
      dropped: 0,
    })
    for (const count of load) expect(Math.abs(count / 20_000 - 3 / 8)).toBeLessThan(fiveErrors(3 / 8, 20_000))
  })

  test.each([{ vocabulary: 0 }, { numExperts: 0 }, { topK: 9 }])('refuse %o', (change) => {
    const options = { vocabulary: 10, numExperts: 8, topK: 3, ...change }
    expect(() => moduloHashTable(options)).toThrow(InputError)
    expect(() => randomHashTable({ ...options, random: streams(1) })).toThrow(Object.keys(change)[0])
  })
})
