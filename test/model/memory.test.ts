import fc from 'fast-check'
import {
  countParameters,
  defineModel,
  type ModelConfig,
  memoryOf,
  nemotron3Nano,
  nemotronFp8,
  presets,
  type StorageFormat,
  sequenceBytes,
  storageBytes,
  tinyNemotronH,
} from 'moesim'
import { describe, expect, test } from 'vitest'

/** A transformer of two kinds of experts, one behind a latent width, with a tied table. */
const mixed: ModelConfig = defineModel({
  ...tinyNemotronH,
  name: 'mixed',
  tiedEmbeddings: true,
  pattern: 'EDL',
  layers: {
    E: tinyNemotronH.layers.E,
    L: [
      {
        ...(tinyNemotronH.layers.E[0] as { kind: 'moe' } & (typeof tinyNemotronH.layers.E)[0]),
        latentWidth: 64,
      },
    ],
    D: [...tinyNemotronH.layers['*'], { kind: 'mlp', width: 256, activation: 'silu', gated: true }],
  },
} as ModelConfig)

const models = [...Object.values(presets), mixed]

describe('memory of a model', () => {
  test.each(models)('$name: in a format of n bytes, its weights are n times its parameters', (model) => {
    const { total, active } = countParameters(model)
    for (const [weights, bytes] of Object.entries(storageBytes) as [StorageFormat, number][]) {
      const memory = memoryOf(model, { weights })
      expect(memory.weightBytes / (total * bytes)).toBeCloseTo(1, 12)
      const routed = memory.experts.reduce(
        (sum, { layers, numExperts, expertBytes }) => sum + layers * numExperts * expertBytes,
        0,
      )
      const used = memory.experts.reduce(
        (sum, { layers, topK, expertParameters }) => sum + layers * topK * expertParameters,
        0,
      )
      const table = model.tiedEmbeddings ? 0 : model.vocabSize * model.hiddenSize
      expect((memory.commonBytes + routed + table * bytes) / (total * bytes)).toBeCloseTo(1, 12)
      expect(Math.abs(memory.commonParameters + used - active.withHead)).toBeLessThan(1)
    }
  })

  test('Nano keeps 6 KiB a token in bf16, and 48.2 MB of state with 0.85 MB of convolution inputs', () => {
    const { caches, stateBytes } = memoryOf(nemotron3Nano)
    expect(caches).toEqual([{ bytesPerToken: 6 * 2 * 2 * 128 * 2 }])
    expect(stateBytes).toBe(23 * (64 * 64 * 128 * 4 + (4096 + 2 * 8 * 128) * 3 * 2))
    expect(memoryOf(nemotron3Nano, { keyValues: 'fp8', state: 'fp16', convState: 'fp8' })).toMatchObject({
      caches: [{ bytesPerToken: 3072 }],
      stateBytes: 23 * (64 * 64 * 128 * 2 + 6144 * 3),
    })
  })

  test.each<[preset: string, bytesPerToken: number, windowed?: [bytes: number, window: number]]>([
    ['deepseek-v3', 61 * (512 + 64) * 2],
    ['qwen3-30b-a3b', 48 * 2 * 4 * 128 * 2],
    ['gpt-oss-20b', 12 * 2 * 8 * 64 * 2, [12 * 2 * 8 * 64 * 2, 128]],
    ['qwen3-next-80b-a3b', 12 * 2 * 2 * 256 * 2],
    ['hunyuan-large', 32 * 2 * 8 * 80 * 2], // 64 layers, of which every second has its own
    ['jetmoe-8b', 24 * 2 * 16 * 128 * 2],
    ['deepseek-v3.2', 61 * (512 + 64 + 128) * 2], // with the keys of its indexer
  ])('%s keeps %d bytes a token in bf16', (preset, bytesPerToken, windowed) => {
    const { caches } = memoryOf(presets[preset])
    expect(caches).toContainEqual({ bytesPerToken })
    if (windowed) expect(caches).toContainEqual({ bytesPerToken: windowed[0], window: windowed[1] })
    expect(caches.length).toBe(windowed ? 2 : 1)
  })

  test.each<[preset: string, numbers: number, convolved: number]>([
    ['jamba-1.5-mini', 28 * 8192 * 16, 28 * 8192 * 3],
    ['qwen3-next-80b-a3b', 36 * 32 * 128 * 128, 36 * (2 * 16 * 128 + 32 * 128) * 3],
    ['minimax-text-01', 70 * 64 * 128 * 128, 0],
    ['kimi-linear-48b-a3b', 20 * 32 * 128 * 128, 20 * 3 * 32 * 128 * 3],
  ])('%s has a state of %d numbers, whatever its context', (preset, numbers, convolved) => {
    expect(memoryOf(presets[preset]).stateBytes).toBe(4 * numbers + 2 * convolved)
  })

  test('DeepSeek-V4 keeps near tokens whole and far ones by their compressed entries', () => {
    const attention = (fields: object) =>
      memoryOf({
        ...tinyNemotronH,
        pattern: '*',
        layers: {
          '*': [
            {
              kind: 'compressedAttention',
              numHeads: 8,
              headDim: 64,
              queryRank: 32,
              outputRank: 32,
              outputGroups: 2,
              compressRatio: 0,
              ...fields,
            },
          ],
        },
      } as ModelConfig).caches
    expect(attention({})).toEqual([{ bytesPerToken: 128 }])
    expect(attention({ window: 16, compressRatio: 128 })).toEqual([
      { bytesPerToken: 128, window: 16 },
      { bytesPerToken: 1 },
    ])
    const indexer = { numHeads: 2, headDim: 32 }
    expect(attention({ window: 16, compressRatio: 4, indexer })).toContainEqual({
      bytesPerToken: (2 * 96) / 4,
    })
  })

  test("LongCat's experts are those that have weights, and a token uses 8 of its 12 choices on average", () => {
    expect(memoryOf(presets['longcat-flash']).experts).toMatchObject([{ numExperts: 512, topK: 8 }])
  })

  test('layers of experts that are alike stand together, others apart, with the width they read', () => {
    const { experts } = memoryOf(mixed)
    expect(experts).toMatchObject([
      { layers: 1, numExperts: 128, topK: 6, expertParameters: 2 * 128 * 32, width: 128 },
      { layers: 1, numExperts: 128, topK: 6, expertParameters: 2 * 64 * 32, width: 64 },
    ])
    expect(memoryOf(nemotron3Nano).experts).toMatchObject([{ layers: 23, expertParameters: 9977856 }])
  })

  test('a model without attention has no cache', () => {
    expect(memoryOf({ ...tinyNemotronH, pattern: 'ME' }).caches).toEqual([])
  })

  test("Nano's FP8 recipe: 6 attention and the 6 Mamba layers before them, tables and norms in bf16, routers in fp32", () => {
    const { parts } = countParameters(nemotron3Nano)
    const { total } = countParameters(nemotron3Nano)
    const kept = parts.attention.total + 6 * 38742208 + parts.norms.total + 2 * parts.embedding.total
    const routers = parts.router.total + parts.routerBias.total
    expect(memoryOf(nemotron3Nano, { weights: nemotronFp8 }).weightBytes).toBe(total + kept + 3 * routers)
    expect(total + kept + 3 * routers).toBe(32679306432)
  })

  test('the cache of a window stops growing; the state never grows', () => {
    fc.assert(
      fc.property(fc.nat(1e6), fc.integer({ min: 1, max: 4096 }), (context, window) => {
        const memory = {
          ...memoryOf(nemotron3Nano),
          caches: [{ bytesPerToken: 3 }, { bytesPerToken: 5, window }],
        }
        const expected = memory.stateBytes + 3 * context + 5 * Math.min(context, window)
        expect(sequenceBytes(memory, context)).toBe(expected)
      }),
    )
  })

  test('a format that is not known is refused', () => {
    expect(() => memoryOf(nemotron3Nano, { weights: 'fp7' as 'fp8' })).toThrow(
      /^memoryOf: a format must be one of fp32, bf16, .*, got "fp7"\. Choose one of these\.$/,
    )
    expect(() => memoryOf(nemotron3Nano, { keyValues: 'toString' as 'fp8' })).toThrow(
      'a format must be one of',
    )
  })
})
