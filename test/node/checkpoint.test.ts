import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { InputError, readSafetensors, type Tensor, writeSafetensors } from 'moesim'
import { describe, expect, test } from 'vitest'
import { readCheckpoint } from '../../dist/node/checkpoint.js'
import { readGguf } from '../../dist/node/gguf.js'
import { dataFile, newFolder } from '../cli/terminal.js'
import { ggufFile } from './gguf-file.js'

const folder = newFolder()
const file = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}
const bf16 = (...shape: number[]): Tensor => {
  const bytes = new Uint8Array(2 * shape.reduce((product, size) => product * size, 1))
  return { dtype: 'BF16', shape, bytes }
}

describe('a safetensors file', () => {
  test('is read by its header alone', async () => {
    const { tensors } = await readCheckpoint(dataFile('model.safetensors'))
    const whole = readSafetensors(readFileSync(dataFile('model.safetensors')))
    expect(tensors).toEqual([...whole.tensors].map(([name, { dtype, shape }]) => ({ name, dtype, shape })))
  })

  const sound = writeSafetensors(new Map([['a', bf16(3)]]))
  test.each([
    ['empty', new Uint8Array(0), 'a file starts with 8 bytes'],
    ['short', sound.subarray(0, 20), 'more than the file has'],
    ['cut', sound.subarray(0, -1), 'ends at byte 6 of the data, which has fewer'],
    ['long', new Uint8Array([...sound, 0]), 'must cover all 7 bytes of data'],
    ['text', '{"a": 1}      ', 'the header length must be at most'],
  ])('that is not whole is refused: %s', async (name, bytes, rule) => {
    const path = file(`${name}.safetensors`, bytes)
    await expect(readCheckpoint(path)).rejects.toThrow(rule)
    await expect(readCheckpoint(path)).rejects.toThrow(`${path}: safetensors: `)
    await expect(readCheckpoint(path)).rejects.toThrow(InputError)
  })

  test('that is not there, or a folder, is refused', async () => {
    await expect(readCheckpoint(join(folder, 'none.safetensors'))).rejects.toThrow('file: it must exist')
    await expect(readCheckpoint(folder)).rejects.toThrow('file: it must be a file')
  })
})

describe('an index', () => {
  file('one.safetensors', writeSafetensors(new Map([['a', bf16(2, 3)]])))
  file('two.safetensors', writeSafetensors(new Map([['b', bf16(4)]])))
  const index = (name: string, weight_map: unknown, metadata?: object): string =>
    file(name, JSON.stringify({ metadata, weight_map }))

  test('gives the tensors of all its files', async () => {
    const path = index('model.safetensors.index.json', { a: 'one.safetensors', b: 'two.safetensors' })
    expect(await readCheckpoint(path)).toEqual({
      tensors: [
        { name: 'a', dtype: 'BF16', shape: [2, 3] },
        { name: 'b', dtype: 'BF16', shape: [4] },
      ],
    })
  })

  test('tells names and bytes where files are missing', async () => {
    const map = { a: 'one.safetensors', c: 'three.safetensors' }
    const path = index('missing.json', map, { total_size: 20, total_parameters: 10 })
    expect(await readCheckpoint(path)).toEqual({
      tensors: [],
      index: { names: ['a', 'c'], missing: ['three.safetensors'], totalBytes: 20, totalParameters: 10 },
    })
    const silent = index('silent.json', map, { total_size: '20', total_parameters: -1 })
    expect((await readCheckpoint(silent)).index).toEqual({
      names: ['a', 'c'],
      missing: ['three.safetensors'],
    })
    expect((await readCheckpoint(index('bare.json', map))).index).toMatchObject({ names: ['a', 'c'] })
  })

  test.each([
    [null, 'it must have a weight_map'],
    [{}, 'it must have a weight_map'],
    ['one.safetensors', 'it must have a weight_map'],
    [
      { a: '../one.safetensors' },
      'weight_map must name files that stand beside it, got "../one.safetensors"',
    ],
    [{ a: 7 }, 'weight_map must name files that stand beside it, got 7'],
    [{ a: 'one.safetensors', b: 'one.safetensors' }, 'must hold every tensor that it names, got "b"'],
  ])('that is none is refused: %j', async (map, rule) => {
    await expect(readCheckpoint(index('odd.json', map))).rejects.toThrow('odd.json: index: ')
    await expect(readCheckpoint(index('odd.json', map))).rejects.toThrow(rule)
    await expect(readCheckpoint(file('null.json', 'null'))).rejects.toThrow('it must have a weight_map')
  })
})

/** An optional package: `npm ci` installs it, `npm install moesim` does not. */
const installed = existsSync(new URL('../../node_modules/@huggingface/gguf', import.meta.url))

describe('a GGUF file', () => {
  const tensors = [
    { name: 'token_embd.weight', type: 8, shape: [128, 256] },
    { name: 'blk.0.attn_norm.weight', type: 0, shape: [128] },
  ]

  test.skipIf(!installed)('is read by the package that knows the format', async () => {
    const path = file('model.gguf', ggufFile(tensors))
    expect((await readCheckpoint(path)).tensors).toEqual([
      { name: 'token_embd.weight', dtype: 'Q8_0', shape: [128, 256] },
      { name: 'blk.0.attn_norm.weight', dtype: 'F32', shape: [128] },
    ])
    const newer = file('newer.gguf', ggufFile([{ name: 'a', type: 999, shape: [2] }]))
    expect(await readGguf(newer)).toEqual([{ name: 'a', dtype: 'type 999', shape: [2] }])
  })

  test.skipIf(!installed)('that is not sound is refused', async () => {
    const broken = file('broken.gguf', 'no such thing')
    await expect(readCheckpoint(broken)).rejects.toThrow(`gguf: the header of ${broken} must be sound`)
    await expect(readCheckpoint(broken)).rejects.toThrow(InputError)
  })

  test.each(['https://example.org/model.gguf', join(folder, 'none.gguf')])(
    'that is not there is not fetched: %s',
    async (path) => {
      const fetch = async (): Promise<never> => expect.fail('asked for')
      await expect(readGguf(path, fetch)).rejects.toThrow(`file: it must exist, got "${path}"`)
    },
  )

  test('asks for the package where it is not installed', async () => {
    const absent = async (): Promise<never> => {
      throw new Error('Cannot find package')
    }
    await expect(readGguf(file('any.gguf', ''), absent)).rejects.toThrow(
      'gguf: the package @huggingface/gguf must be installed to read the header of a GGUF file, got "no such package". Run: npm install @huggingface/gguf',
    )
  })
})
