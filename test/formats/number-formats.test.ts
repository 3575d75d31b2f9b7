import fc from 'fast-check'
import {
  type Dtype,
  decodeFloats,
  float32Of,
  float64Of,
  InputError,
  rounded,
  roundedNvfp4,
  roundTo,
  type SmallFormat,
} from 'moesim'
import { describe, expect, test } from 'vitest'

/** Bits of a code, values of its first subnormal and largest, from the specifications. */
const formats: [SmallFormat, number, number, number][] = [
  ['bf16', 16, 2 ** -133, (2 - 2 ** -7) * 2 ** 127],
  ['fp16', 16, 2 ** -24, 65504],
  ['fp8-e4m3', 8, 2 ** -9, 448],
  ['fp8-e5m2', 8, 2 ** -16, 57344],
  ['fp4-e2m1', 4, 0.5, 6],
]

const codesOf = (bits: number): Uint16Array => Uint16Array.from({ length: 2 ** bits }, (_, code) => code)

/** The finite values from 0 up: in every format they stand in the order of their codes. */
function ascending(name: SmallFormat, bits: number): Float32Array {
  const positive = decodeFloats(codesOf(bits).subarray(0, 2 ** (bits - 1)), name)
  return positive.filter(Number.isFinite)
}

describe.each(formats)('%s', (name, bits, least, largest) => {
  const round = roundTo(name)
  const values = ascending(name, bits)

  test('every code decodes to a value that rounds to itself', () => {
    const all = decodeFloats(codesOf(bits), name)
    const moved = [...all].filter((value) => !Object.is(round(value), value) && Math.abs(value) < Infinity)
    expect(moved).toEqual([])
    expect(values[1]).toBe(least)
    expect(values[values.length - 1]).toBe(largest)
    // The codes of the other half are the negatives of these.
    const negative = all.subarray(all.length / 2, all.length / 2 + values.length)
    expect([...negative].every((value, code) => Object.is(value, -values[code]))).toBe(true)
  })

  test('halfway between neighbours goes to the even code, and a hair to either side to the nearer one', () => {
    const wrong: number[] = []
    for (let code = 0; code + 1 < values.length; code++) {
      const [low, high] = [values[code], values[code + 1]]
      const middle = (low + high) / 2
      const hair = (high - low) * 2 ** -40
      const even = code % 2 === 0 ? low : high
      for (const sign of [1, -1]) {
        const to = [middle, middle - hair, middle + hair].map((x) => sign * round(sign * x))
        if (to[0] !== even || to[1] !== low || to[2] !== high) wrong.push(middle)
      }
    }
    expect(wrong).toEqual([])
  })

  test('no value of the format is nearer than the one it rounds to', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, min: -1.5 * largest, max: 1.5 * largest }), (x) => {
        const to = Math.min(Math.abs(round(x)), largest)
        let at = values.findIndex((value) => value >= Math.abs(x))
        if (at < 0) at = values.length - 1
        const distance = (value: number): number => Math.abs(Math.abs(x) - value)
        expect(distance(to)).toBe(Math.min(distance(values[at]), distance(values[Math.max(0, at - 1)])))
      }),
      { numRuns: 200 },
    )
  })

  test('rounding keeps order, sign, zero and NaN', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true }), fc.double({ noNaN: true }), (x, y) => {
        expect(x <= y ? round(x) <= round(y) : round(x) >= round(y)).toBe(true)
        expect(Object.is(round(-x), -round(x))).toBe(true)
      }),
    )
    expect([0, -0, -least / 4, Number.NaN].map(round)).toEqual([0, -0, -0, Number.NaN])
  })
})

test('what is too large is ∞ in bf16 and fp16, and the largest value in fp8 and fp4', () => {
  // Half a step beyond the largest still rounds to it only if its code is even; the largest of fp16 and bf16 are odd.
  expect([65519.99, 65520, -1e6, Infinity].map(roundTo('fp16'))).toEqual([
    65504,
    Infinity,
    -Infinity,
    Infinity,
  ])
  expect(roundTo('bf16')(3.4e38)).toBe(Infinity)
  expect([464, 1e9, -Infinity].map(roundTo('fp8-e4m3'))).toEqual([448, 448, -448])
  expect([61440, Infinity].map(roundTo('fp8-e5m2'))).toEqual([57344, 57344])
  expect([7, -1e300].map(roundTo('fp4-e2m1'))).toEqual([6, -6])
})

test('fp32 is what a Float32Array holds', () => {
  expect([...rounded([0.1, 2 ** 24 + 1, 1e39], 'fp32')]).toEqual([Math.fround(0.1), 2 ** 24, Infinity])
})

test('float64 is rounded once: not first to float32, whose rounding can make a tie', () => {
  const aboveTie = 1 + 2 ** -8 + 2 ** -40
  expect(roundTo('bf16')(aboveTie)).toBe(1 + 2 ** -7)
  expect(roundTo('bf16')(Math.fround(aboveTie))).toBe(1)
})

test('codes that are not numbers: ∞ and NaNs of e5m2, the two NaNs of e4m3, none of e2m1', () => {
  expect([...decodeFloats(Uint8Array.of(0x7c, 0xfc, 0x7d, 0xff), 'fp8-e5m2')]).toEqual([
    Infinity,
    -Infinity,
    Number.NaN,
    Number.NaN,
  ])
  const e4m3 = decodeFloats(Uint8Array.from(codesOf(8)), 'fp8-e4m3')
  expect([...e4m3.keys()].filter((code) => !Number.isFinite(e4m3[code]))).toEqual([0x7f, 0xff])
  expect([...decodeFloats(Uint8Array.from(codesOf(4)), 'fp4-e2m1')]).toEqual([
    ...[0, 0.5, 1, 1.5, 2, 3, 4, 6],
    ...[-0, -0.5, -1, -1.5, -2, -3, -4, -6],
  ])
})

test('safetensors of fp8 are read', () => {
  const of = (dtype: Dtype) => ({ dtype, shape: [3], bytes: Uint8Array.of(0x38, 0xc0, 0x01) })
  expect([...float32Of(of('F8_E4M3'))]).toEqual([1, -2, 2 ** -9])
  expect([...float64Of(of('F8_E5M2'))]).toEqual([0.5, -2, 2 ** -16])
})

test('an unknown format is refused', () => {
  expect(() => roundTo('nvfp4' as 'bf16')).toThrow(InputError)
  expect(() => roundTo('toString' as 'bf16')).toThrow('the format must be one of fp32, bf16')
})

describe('NVFP4', () => {
  test('one block by hand: the tensor scale takes its largest value to 6 · 448, so the block scale is 448', () => {
    const row = Float32Array.of(6, 5, 4.9, 2.5, 1.75, 0.75, 0.26, 0.25, -6, -3.5, -0.1, 0, 1, 2, 3, 4)
    const wanted = [6, 4, 4, 2, 2, 1, 0.5, 0, -6, -4, -0, 0, 1, 2, 3, 4]
    roundedNvfp4(row, 16).forEach((value, i) => expect(value).toBeCloseTo(wanted[i], 5))
  })

  test('each block has a scale of its own: a block a thousand times smaller keeps its shape', () => {
    const block = [6, 4, 3, 2, 1.5, 1, 0.5, 0, -6, -4, -3, -2, -1.5, -1, -0.5, 0]
    const both = roundedNvfp4(Float32Array.from([...block, ...block.map((x) => x / 1024)]), 32)
    // A tensor scale of 6 / 2688: block scales 448 and 448 / 1024 = 0.4375, each a value of e4m3.
    block.forEach((x, i) => {
      expect(both[i]).toBeCloseTo(x, 5)
      expect(both[16 + i]).toBeCloseTo(x / 1024, 8)
    })
  })

  test('an element is off by at most a sixth of the largest of its block, or what the block scale loses of it', () => {
    const rows = fc.array(fc.float({ min: -8, max: 8, noNaN: true }), { minLength: 32, maxLength: 32 })
    fc.assert(
      fc.property(rows, (row) => {
        const stored = roundedNvfp4(Float32Array.from(row), 16)
        const largest = Math.max(...row.map(Math.abs))
        for (const first of [0, 16]) {
          const size = Math.max(...row.slice(first, first + 16).map(Math.abs))
          // Half the widest step of e2m1 (4 to 6) is 1 of 6; the scale is off by 1/16, or 2⁻¹⁰ of 448 where subnormal.
          const allowed = (size / 6) * (1 + 1 / 16) + size / 16 + (largest / 448) * 2 ** -9
          for (let i = first; i < first + 16; i++) {
            expect(Math.abs(stored[i] - row[i])).toBeLessThanOrEqual(allowed)
          }
        }
      }),
    )
  })

  test('zeros stay zeros, and so does a tensor too small for its scale', () => {
    expect([...roundedNvfp4(new Float32Array(32), 16)]).toEqual(Array(32).fill(0))
    expect([...roundedNvfp4(new Float32Array(16).fill(2 ** -149), 16)]).toEqual(Array(16).fill(0))
    expect(roundedNvfp4(new Float32Array(0), 16)).toHaveLength(0)
  })

  test('rows that are no whole blocks, and values without a size, are refused', () => {
    expect(() => roundedNvfp4(new Float32Array(24), 24)).toThrow('Pad the rows with zeros.')
    expect(() => roundedNvfp4(new Float32Array(24), 16)).toThrow('divides the 24 values')
    expect(() => roundedNvfp4(new Float32Array(16), 0)).toThrow('multiple of 16')
    expect(() =>
      roundedNvfp4(
        Float32Array.from({ length: 16 }, (_, i) => 1 / i - 1),
        16,
      ),
    ).toThrow('the value at 0 must be finite, got Infinity')
  })
})
