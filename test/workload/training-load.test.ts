import { readFileSync } from 'node:fs'
import { InputError, readTrainingLoad, type Tensor } from 'moesim'
import { describe, expect, test } from 'vitest'
import { fileOf, floats, ints } from './files.js'

/** Two steps of one layer of three experts. */
const tensors: Record<string, Tensor> = {
  step: ints([2], [4, 5]),
  counts: ints([2, 1, 3], [1, 2, 3, 2, 2, 2]),
  bias: floats([2, 1, 3], [0, 0, 0, 0.5, 0, -0.5]),
}
const metadata = { moe_layers: [4], bias_update_speed: 0.5, tokens_per_step: 6, top_k: 1 }

const changed = (over: Record<string, Tensor | undefined>, meta: Record<string, unknown> = {}) =>
  readTrainingLoad(fileOf({ ...tensors, ...over }, { ...metadata, ...meta }))

describe('training loads', () => {
  test('recorded of a real model are read whole: each batch is 1,920 tokens of 6 experts', () => {
    const file = readFileSync(new URL('../../examples/data/training-load.safetensors', import.meta.url))
    const { counts, bias, steps, ...rest } = readTrainingLoad(file)
    expect(rest).toEqual({
      layers: 3,
      layerIndices: [1, 4, 6],
      numExperts: 128,
      rate: 0.001,
      tokensPerStep: 1920,
      topK: 6,
    })
    expect([steps.length, counts.length, bias.length]).toEqual([572, 572 * 3 * 128, 572 * 3 * 128])
    expect([...steps]).toEqual([...steps].sort((a, b) => a - b))
    for (let at = 0; at < counts.length; at += 128)
      expect(counts.subarray(at, at + 128).reduce((sum, count) => sum + count, 0)).toBe(1920 * 6)
  })

  test('written here come back', () => {
    expect(changed({})).toEqual({
      steps: Int32Array.of(4, 5),
      layers: 1,
      layerIndices: [4],
      numExperts: 3,
      counts: Int32Array.of(1, 2, 3, 2, 2, 2),
      bias: Float32Array.of(0, 0, 0, 0.5, 0, -0.5),
      rate: 0.5,
      tokensPerStep: 6,
      topK: 1,
    })
  })

  test.each<[Record<string, Tensor | undefined>, string]>([
    [{ step: undefined }, 'safetensors: the file must have the tensor asked for, got "step"'],
    [{ counts: undefined }, 'safetensors: the file must have the tensor asked for, got "counts"'],
    [{ bias: undefined }, 'safetensors: the file must have the tensor asked for, got "bias"'],
    [{ step: ints([1], [4]) }, 'counts must be [1, L, E], none of them 0, got "[2,1,3]"'],
    [{ counts: ints([2, 3], [1, 2, 3, 2, 2, 2]) }, 'counts must be [2, L, E], none of them 0, got "[2,3]"'],
    [{ counts: ints([2, 1, 0], []) }, 'counts must be [2, L, E], none of them 0, got "[2,1,0]"'],
    [{ bias: floats([2, 3, 1]) }, 'bias must be shaped as counts, [2,1,3], got "[2,3,1]"'],
    [{ counts: floats([2, 1, 3]) }, 'int32Of: the dtype must be one of'],
    [{ bias: ints([2, 1, 3], [0, 0, 0, 0, 0, 0]) }, 'float32Of: the dtype must be one of'],
  ])('are refused for their tensors: %#', (over, message) => {
    expect(() => changed(over)).toThrow(InputError)
    expect(() => changed(over)).toThrow(message)
  })

  test.each<[string, unknown, string]>([
    ['moe_layers', undefined, 'must hold JSON, got undefined'],
    ['moe_layers', [1, 2], 'must name the 1 layers of counts, got an array of 2'],
    ['moe_layers', ['1'], 'must have 0 as number, got "1"'],
    ['moe_layers', 4, 'must be Array, got 4'],
    ['bias_update_speed', 0, 'must be >0, got 0'],
    ['bias_update_speed', 'fast', 'must hold JSON, got "fast"'],
    ['tokens_per_step', -6, 'must be >0, got -6'],
    ['top_k', null, 'must be number, got null'],
  ])("are refused for the metadata '%s': %j", (key, value, message) => {
    const act = () => changed({}, { [key]: value })
    expect(act).toThrow(InputError)
    expect(act).toThrow(`readTrainingLoad: metadata '${key}' ${message}`)
  })
})
