import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import {
  type Dtype,
  float32Of,
  float64Of,
  InputError,
  int32Of,
  readSafetensors,
  type Tensor,
  tensor,
  writeSafetensors,
} from 'moesim'
import { describe, expect, test, vi } from 'vitest'

/** A file from the text of its header and the bytes of its data, right or wrong. */
function fileOf(
  header: string,
  data: ArrayLike<number> = [],
  headerBytes = new TextEncoder().encode(header).length,
) {
  const text = new TextEncoder().encode(header)
  const file = new Uint8Array(8 + text.length + data.length)
  new DataView(file.buffer).setBigUint64(0, BigInt(headerBytes), true)
  file.set(text, 8)
  file.set(Array.from(data), 8 + text.length)
  return file
}

const entry = (dtype: string, shape: unknown, data_offsets: unknown): string =>
  JSON.stringify({ dtype, shape, data_offsets })

describe('a safetensors file', () => {
  test('written by hand, byte by byte, is read', () => {
    const header = '{"__metadata__":{"by":"hand"},"x":{"dtype":"I16","shape":[2,1],"data_offsets":[0,4]}}   '
    const file = readSafetensors(fileOf(header, [1, 0, 0xfe, 0xff]))
    expect(file.metadata).toEqual({ by: 'hand' })
    expect(tensor(file, 'x')).toMatchObject({ dtype: 'I16', shape: [2, 1] })
    expect([...int32Of(tensor(file, 'x'))]).toEqual([1, -2])
  })

  test('recorded by the reference library is read: names, shapes and values', () => {
    const file = readSafetensors(
      readFileSync(new URL('../../examples/data/trace.safetensors', import.meta.url)),
    )
    expect(file.tensors.size).toBe(19)
    expect(tensor(file, 'layers.4.router_input')).toMatchObject({ dtype: 'F16', shape: [3840, 128] })
    expect([...int32Of(tensor(file, 'token_ids')).subarray(0, 4)].every((id) => id >= 0 && id < 256)).toBe(
      true,
    )
    const weights = float32Of(tensor(file, 'layers.1.topk_weights')).subarray(0, 6)
    expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(2.5, 5)
    expect(JSON.parse(file.metadata.moe_layers)).toEqual([1, 4, 6])
  })

  test('may begin anywhere in a larger buffer: data need not be aligned', () => {
    const bytes = writeSafetensors(new Map([['x', f32([1.5, -2])]]))
    const shifted = new Uint8Array(bytes.length + 3)
    shifted.set(bytes, 3)
    expect([...float32Of(tensor(readSafetensors(shifted.subarray(3)), 'x'))]).toEqual([1.5, -2])
    expect([...float32Of(tensor(readSafetensors(Buffer.from(shifted).subarray(3)), 'x'))]).toEqual([1.5, -2])
  })

  test('may hold scalars, empty tensors, and names that mean something to JavaScript', () => {
    const tensors = new Map([
      ['scalar', { dtype: 'U8', shape: [], bytes: Uint8Array.of(7) }],
      ['empty', { dtype: 'F64', shape: [3, 0], bytes: new Uint8Array(0) }],
      ['constructor', { dtype: 'U8', shape: [1], bytes: Uint8Array.of(8) }],
    ] satisfies [string, Tensor][])
    const file = readSafetensors(writeSafetensors(tensors))
    expect([...int32Of(tensor(file, 'scalar')), ...int32Of(tensor(file, 'constructor'))]).toEqual([7, 8])
    expect(float64Of(tensor(file, 'empty'))).toHaveLength(0)
    const odd = readSafetensors(fileOf(`{"__proto__":${entry('U8', [1], [0, 1])}}`, [9]))
    expect([...int32Of(tensor(odd, '__proto__'))]).toEqual([9])
    expect(({} as { dtype?: string }).dtype).toBeUndefined()
  })

  test('round-trips, with the same bytes for the same tensors', () => {
    const dtypes: [Dtype, number][] = [
      ['F64', 8],
      ['F32', 4],
      ['BF16', 2],
      ['F8_E4M3', 1],
      ['I64', 8],
      ['U16', 2],
      ['BOOL', 1],
    ]
    const tensors = fc.uniqueArray(
      fc
        .tuple(
          fc.string({ minLength: 1 }),
          fc.constantFrom(...dtypes),
          fc.array(fc.nat(3), { maxLength: 3 }),
          fc.nat(255),
        )
        .map(([name, [dtype, size], shape, fill]): [string, Tensor] => {
          const bytes = new Uint8Array(shape.reduce((product, n) => product * n, size)).fill(fill)
          return [name, { dtype, shape, bytes }]
        })
        .filter(([name]) => name !== '__metadata__' && name !== '__proto__' && !/^\d+$/.test(name)),
      { selector: ([name]) => name, maxLength: 6 },
    )
    fc.assert(
      fc.property(
        tensors,
        fc.dictionary(fc.string(), fc.string(), { noNullPrototype: true }),
        (list, metadata) => {
          const bytes = writeSafetensors(new Map(list), metadata)
          const read = readSafetensors(bytes)
          expect([...read.tensors.keys()]).toEqual(list.map(([name]) => name))
          for (const [name, { dtype, shape, bytes: stored }] of list) {
            const got = tensor(read, name)
            expect([got.dtype, got.shape]).toEqual([dtype, shape])
            expect(Buffer.compare(got.bytes, stored)).toBe(0)
          }
          expect({ ...read.metadata }).toEqual({ ...metadata })
          expect(Buffer.compare(writeSafetensors(read.tensors, read.metadata), bytes)).toBe(0)
        },
      ),
    )
  })
})

function f32(values: number[], shape = [values.length]): Tensor {
  return { dtype: 'F32', shape, bytes: new Uint8Array(Float32Array.from(values).buffer) }
}

describe('a hostile file gets a clear error, never a crash', () => {
  const good = writeSafetensors(
    new Map([
      ['a', f32([1, 2])],
      ['b', f32([3])],
    ]),
    { note: 'ok' },
  )

  test.each<[string, Uint8Array, string]>([
    ['no bytes', new Uint8Array(0), '8 bytes of header length'],
    ['a header of 2⁶³ bytes', fileOf('{}', [], 2 ** 63), 'header length must be at most'],
    [
      'a header longer than the file',
      fileOf('{}', [], 1000),
      'the header needs 1008 bytes, 998 more than the file has',
    ],
    ['text that is not JSON', fileOf('{"a":'), 'must be a JSON object'],
    ['text that is not an object', fileOf('[1]'), 'must be a JSON object'],
    ['a header that starts with a space', fileOf(' {}'), 'must be a JSON object'],
    ['bytes that are not UTF-8', fileOf('{"?":1}').map((byte) => (byte === 63 ? 0xff : byte)), 'in UTF-8'],
    ['metadata that is not text', fileOf('{"__metadata__":{"a":1}}'), '__metadata__ must map names to texts'],
    ['metadata that is a list', fileOf('{"__metadata__":["a"]}'), '__metadata__ must map names to texts'],
    ['an entry that is no object', fileOf('{"a":3}'), "tensor 'a' must be described by an object"],
    [
      'an unknown dtype',
      fileOf(`{"a":${entry('F31', [1], [0, 4])}}`, [0, 0, 0, 0]),
      'must have one of the dtypes',
    ],
    [
      'an inherited dtype',
      fileOf(`{"a":${entry('toString', [1], [0, 4])}}`, [0, 0, 0, 0]),
      'must have one of the dtypes',
    ],
    ['a negative size', fileOf(`{"a":${entry('U8', [-1], [0, 1])}}`, [0]), 'whole numbers of at least 0'],
    ['a broken size', fileOf(`{"a":${entry('U8', [1.5], [0, 1])}}`, [0]), 'whole numbers of at least 0'],
    ['a size in words', fileOf(`{"a":${entry('U8', ['1'], [0, 1])}}`, [0]), 'whole numbers of at least 0'],
    [
      'a shape that is no list',
      fileOf(`{"a":${entry('U8', 1, [0, 1])}}`, [0]),
      'whole numbers of at least 0',
    ],
    [
      'a huge product',
      fileOf(`{"a":${entry('U8', [2 ** 40, 2 ** 40], [0, 1])}}`, [0]),
      'needs 1.2089258196146292e+24 bytes',
    ],
    ['one offset', fileOf(`{"a":${entry('U8', [1], [0])}}`, [0]), 'data_offsets [begin, end]'],
    ['offsets backwards', fileOf(`{"a":${entry('U8', [1], [1, 0])}}`, [0]), 'data_offsets [begin, end]'],
    [
      'an end beyond the data',
      fileOf(`{"a":${entry('U8', [9], [0, 9])}}`, [0]),
      'ends at byte 9 of the data',
    ],
    [
      'a size that disagrees',
      fileOf(`{"a":${entry('F32', [2], [0, 4])}}`, [0, 0, 0, 0]),
      'needs 8 bytes, got 4',
    ],
    [
      'an overlap',
      fileOf(`{"a":${entry('U8', [2], [0, 2])},"b":${entry('U8', [2], [1, 3])}}`, [0, 0, 0]),
      "'b' must begin at byte 2 of the data, got 1",
    ],
    ['a gap', fileOf(`{"a":${entry('U8', [1], [1, 2])}}`, [0, 0]), "'a' must begin at byte 0"],
    [
      'data that no tensor covers',
      fileOf(`{"a":${entry('U8', [1], [0, 1])}}`, [0, 0]),
      'must cover all 2 bytes',
    ],
    [
      'a name that stands twice',
      fileOf(`{"a":${entry('U8', [1], [0, 1])},"a":${entry('U8', [1], [1, 2])}}`, [0, 0]),
      "'a' must begin at byte 0",
    ],
  ])('%s', (_what, file, message) => {
    expect(() => readSafetensors(file)).toThrow(InputError)
    expect(() => readSafetensors(file)).toThrow(message)
  })

  test('cut short anywhere', () => {
    for (let length = 0; length < good.length; length++) {
      expect(() => readSafetensors(good.subarray(0, length))).toThrow(InputError)
    }
  })

  test('with any bytes changed: it is read or refused', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        (changes) => {
          const changed = good.slice()
          for (const [at, byte] of changes) changed[at] = byte
          try {
            readSafetensors(changed)
          } catch (error) {
            expect(error).toBeInstanceOf(InputError)
          }
        },
      ),
      { numRuns: 2000 },
    )
  })

  test('a tensor that is not there, with the name that was meant', () => {
    const file = readSafetensors(writeSafetensors(new Map([['gate.weight', f32([1])]])))
    expect(() => tensor(file, 'gate.wieght')).toThrow("Did you mean 'gate.weight'?")
    expect(() => tensor(file, 'something.else.altogether')).toThrow('Use a file that has it.')
  })

  test('a tensor to write whose bytes disagree with its shape', () => {
    expect(() => writeSafetensors(new Map([['x', f32([1], [2])]]))).toThrow(
      "'x' of F32 [2] needs 8 bytes, got 4",
    )
  })
})

describe('values', () => {
  const of = (dtype: Dtype, bytes: ArrayBufferLike): Tensor => ({
    dtype,
    shape: [bytes.byteLength],
    bytes: new Uint8Array(bytes),
  })

  test('of every float16 are exact', () => {
    const patterns = Uint16Array.from({ length: 65536 }, (_, bits) => bits)
    const values = float32Of(of('F16', patterns.buffer))
    values.forEach((value, bits) => {
      const sign = bits >= 0x8000 ? -1 : 1
      const exponent = (bits % 0x8000) >> 10
      const fraction = (bits % 1024) / 1024
      const wanted =
        exponent === 0 ? sign * fraction * 2 ** -14 : sign * (1 + fraction) * 2 ** (exponent - 15)
      if (exponent < 31) expect(Object.is(value, wanted)).toBe(true)
      else expect(Object.is(value, fraction > 0 ? Number.NaN : sign * Infinity)).toBe(true)
    })
  })

  test('of bfloat16 are the upper half of a float32', () => {
    expect([...float32Of(of('BF16', Uint16Array.of(0x3f80, 0xc020, 0x7f80, 0x0001).buffer))]).toEqual([
      1,
      -2.5,
      Infinity,
      2 ** -133,
    ])
  })

  test('of float64 keep all their digits; float32 ones can be had as float64', () => {
    expect([...float64Of(of('F64', Float64Array.of(0.1, Math.PI).buffer))]).toEqual([0.1, Math.PI])
    expect([...float64Of(of('F32', Float32Array.of(0.5).buffer))]).toEqual([0.5])
  })

  test.each<[Dtype, ArrayBufferLike, number[]]>([
    ['I64', BigInt64Array.of(-5n, 2n ** 31n - 1n).buffer, [-5, 2147483647]],
    ['U64', BigUint64Array.of(5n).buffer, [5]],
    ['I32', Int32Array.of(-7).buffer, [-7]],
    ['U32', Uint32Array.of(7).buffer, [7]],
    ['I16', Int16Array.of(-8).buffer, [-8]],
    ['U16', Uint16Array.of(65535).buffer, [65535]],
    ['I8', Int8Array.of(-9).buffer, [-9]],
    ['U8', Uint8Array.of(255).buffer, [255]],
    ['BOOL', Uint8Array.of(1, 0).buffer, [1, 0]],
  ])('of %s are whole numbers', (dtype, bytes, wanted) => {
    expect([...int32Of(of(dtype, bytes))]).toEqual(wanted)
  })

  test('that do not fit, or are of another kind, are refused', () => {
    expect(() => int32Of(of('I64', BigInt64Array.of(0n, 2n ** 31n).buffer))).toThrow(
      'must fit 32 bits, got 2147483648',
    )
    expect(() => int32Of(of('U32', Uint32Array.of(2 ** 31).buffer))).toThrow('must fit 32 bits')
    expect(() => int32Of(of('F32', new ArrayBuffer(4)))).toThrow('Use float32Of for floats.')
    expect(() => float32Of(of('F64', new ArrayBuffer(8)))).toThrow('Use float64Of for F64')
    expect(() => float64Of(of('I8', new ArrayBuffer(1)))).toThrow(
      'the dtype must be one of F64, F32, F16, BF16',
    )
  })

  test('are turned around on a machine whose first byte is the highest, each on its own', () => {
    // What such a machine has in memory for the number 1; its numbers below are stored here in its own order.
    const one = vi.spyOn(Uint16Array, 'of').mockReturnValue(new Uint16Array(Uint8Array.of(0, 1).buffer))
    try {
      expect([...int32Of(of('I16', Uint8Array.of(1, 2, 3, 4).buffer))]).toEqual([0x0102, 0x0304])
      expect([...int32Of(of('U8', Uint8Array.of(1, 2).buffer))]).toEqual([1, 2])
      const bytes = Uint8Array.of(0x3f, 0xf8, 0, 0, 0, 0, 0, 0)
      expect([...float64Of(of('F64', bytes.buffer))]).toEqual([1.5])
      expect([...bytes]).toEqual([0x3f, 0xf8, 0, 0, 0, 0, 0, 0])
    } finally {
      one.mockRestore()
    }
    expect([...int32Of(of('I16', Uint8Array.of(1, 2).buffer))]).toEqual([0x0201])
  })
})
