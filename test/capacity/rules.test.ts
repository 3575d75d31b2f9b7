import {
  deepspeedCapacity,
  flaxformerCapacity,
  InputError,
  largestLoad,
  megablocksCapacity,
  megatronCapacity,
  megatronRankCapacity,
  nllbCapacity,
  stMoeCapacity,
  switchCapacity,
  tutelCapacity,
} from 'moesim'
import { describe, expect, test } from 'vitest'
import { routingOf } from '../routings.js'

const sizes = (tokens: number, numExperts: number, topK = 1) => ({ tokens, numExperts, topK })

describe('capacity rules', () => {
  test.each([
    // get_capacity of Megatron-LM, run on assignments
    [8, 8, 1, 1],
    [64, 8, 1.25, 10],
    [10, 4, 1, 3],
    [7, 3, 1.1, 3],
  ])('Megatron-LM rounds %d / %d · %d up to %d', (assignments, numExperts, factor, wanted) => {
    expect(megatronCapacity(sizes(assignments, numExperts), { factor })).toBe(wanted)
    if (assignments % 2 === 0)
      expect(megatronCapacity(sizes(assignments / 2, numExperts, 2), { factor })).toBe(wanted)
  })

  test('Megatron-LM has a least capacity on request', () => {
    expect(megatronCapacity(sizes(8, 8), { factor: 1, least: 4 })).toBe(4)
    expect(megatronCapacity(sizes(64, 8), { factor: 1, least: 4 })).toBe(8)
  })

  test('Megatron-LM computes in float64, where 50 · 1.1 is above 55', () => {
    expect(megatronCapacity(sizes(200, 4), { factor: 1.1 })).toBe(56)
  })

  test.each([
    // deepspeed tests/unit/v1/moe: s8,e2,k2,cf2; s8,e2,cf4 (top-1); s3,e4,cf8; and a least capacity of 8
    [8, 2, 2, 2, 0, 16],
    [8, 2, 1, 4, 0, 16],
    [3, 4, 1, 8, 0, 6],
    [8, 2, 1, 1, 8, 8],
    // 50 · 1.1 is 55 in float32, not the 55.00000000000001 of float64
    [200, 4, 1, 1.1, 0, 55],
  ])(
    'DeepSpeed: %d tokens, %d experts, top-%d, factor %d, least %d gives %d',
    (T, E, K, factor, least, wanted) => {
      expect(deepspeedCapacity(sizes(T, E, K), { factor, least })).toBe(wanted)
    },
  )

  test('DeepSpeed keeps 4 at least unless told otherwise', () => {
    expect(deepspeedCapacity(sizes(8, 8), { factor: 1 })).toBe(4)
  })

  test('Tutel multiplies a whole number by K, after two roundings', () => {
    const routing = routingOf(4, new Array(10).fill([0, 1]))
    // ⌈10/4⌉ = 3; ⌊1.5 · 3⌋ = 4; · 2 = 8, where ⌈10 · 2 / 4 · 1.5⌉ also is 8; with 1.25 they part: 6 and 7
    expect(tutelCapacity(routing, { factor: 1.5 })).toBe(8)
    expect(tutelCapacity(routing, { factor: 1.25 })).toBe(6)
    expect(megatronCapacity(routing, { factor: 1.25 })).toBe(7)
    expect(tutelCapacity(routing, { factor: 0 })).toBe(10) // the largest load
    expect(tutelCapacity(routing, { factor: -1.25 })).toBe(6) // the largest load, but at most that
    expect(tutelCapacity(routing, { factor: -9 })).toBe(10)
    expect(tutelCapacity(routing, { factor: 1.25, alignment: 4 })).toBe(8)
    expect(tutelCapacity(routing, { factor: 1.5, alignment: 4 })).toBe(8)
  })

  test('MegaBlocks rounds down, and drops nothing where that leaves 0', () => {
    const routing = routingOf(4, new Array(7).fill([0, 1]))
    expect(megablocksCapacity(routing, { factor: 1 })).toBe(3) // 3.5
    expect(megablocksCapacity(routing, { factor: 0 })).toBe(7)
    expect(megablocksCapacity(routing, { factor: 0.25 })).toBe(7) // 0.875
  })

  test('flaxformer rounds half to even, as Python does, and keeps 4 at least', () => {
    const at = (tokens: number, factor = 1) => flaxformerCapacity(sizes(tokens, 8), { factor, least: 0 })
    expect([12, 20, 28, 36].map((tokens) => at(tokens))).toEqual([2, 2, 4, 4]) // 1.5, 2.5, 3.5, 4.5
    expect([at(11), at(13), at(16)]).toEqual([1, 2, 2])
    expect(flaxformerCapacity(sizes(12, 8), { factor: 1 })).toBe(4)
    expect(flaxformerCapacity(sizes(64, 8, 2), { factor: 1.25 })).toBe(10) // K does not count
  })

  test('ST-MoE and Switch cut to a whole number; ST-MoE keeps 4 at least', () => {
    expect(switchCapacity(sizes(64, 64), { factor: 1.25 })).toBe(1)
    expect(stMoeCapacity(sizes(64, 64), { factor: 1.25 })).toBe(4)
    expect(stMoeCapacity(sizes(100, 8), { factor: 1.25 })).toBe(15) // 15.625
    expect(switchCapacity(sizes(100, 8), { factor: 1.25 })).toBe(15)
    expect(stMoeCapacity(sizes(100, 8), { factor: 2 })).toBe(25)
  })

  test('NLLB takes twice the mean, rounded up first', () => {
    expect(nllbCapacity(sizes(9, 4, 2))).toBe(6)
    expect(nllbCapacity(sizes(8, 4, 2))).toBe(4)
  })

  test('a rank of Megatron-LM has its share of all rows times the factor, rounded down, then up to a multiple', () => {
    const all = sizes(101, 8, 2)
    expect(megatronRankCapacity(all, { factor: 1.5, ranks: 4 })).toBe(75) // 75.75
    expect(megatronRankCapacity(all, { factor: 1.5, ranks: 4, alignment: 16 })).toBe(80)
    expect(megatronRankCapacity(sizes(128, 8, 2), { factor: 1, ranks: 4, alignment: 16 })).toBe(64)
  })

  test('the largest load is 0 where there are no tokens', () => {
    expect(
      largestLoad(
        routingOf(4, [
          [0, 1],
          [0, -1],
        ]),
      ),
    ).toBe(2)
    expect(largestLoad(routingOf(4, []))).toBe(0)
  })

  test('no tokens need no room', () => {
    const none = routingOf(4, [])
    expect(megatronCapacity(none, { factor: 1 })).toBe(0)
    expect(tutelCapacity(none, { factor: 1 })).toBe(0)
    expect(megablocksCapacity(none, { factor: 1 })).toBe(0)
    expect(nllbCapacity(none)).toBe(0)
  })

  test.each([0, -1, Number.NaN, Infinity])('a factor of %d is refused where it means nothing', (factor) => {
    const some = sizes(8, 8)
    for (const rule of [
      megatronCapacity,
      deepspeedCapacity,
      flaxformerCapacity,
      stMoeCapacity,
      switchCapacity,
    ]) {
      expect(() => rule(some, { factor })).toThrow(InputError)
      expect(() => rule(some, { factor })).toThrow(`${rule.name}: factor must be a finite number above 0`)
    }
    expect(() => megatronRankCapacity(some, { factor, ranks: 2 })).toThrow(
      'factor must be a finite number above',
    )
  })

  test('so are factors that are no numbers, and roundings to no multiple', () => {
    const routing = routingOf(4, [[0]])
    expect(() => tutelCapacity(routing, { factor: Number.NaN })).toThrow('tutelCapacity: factor must be')
    expect(() => tutelCapacity(routing, { factor: 1, alignment: 0 })).toThrow(
      'tutelCapacity: alignment must be',
    )
    expect(() => megablocksCapacity(routing, { factor: -1 })).toThrow('megablocksCapacity: factor must be')
    expect(() => megablocksCapacity(routing, { factor: Infinity })).toThrow(
      'megablocksCapacity: factor must be',
    )
    const rank = { factor: 1, ranks: 2 }
    expect(() => megatronRankCapacity(routing, { ...rank, ranks: 0 })).toThrow('ranks must be')
    expect(() => megatronRankCapacity(routing, { ...rank, alignment: 0.5 })).toThrow('alignment must be')
  })
})
