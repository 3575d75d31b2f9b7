import { readFileSync } from 'node:fs'
import { countParameters, fromHuggingFaceConfig, type ModelConfig, nemotron3Nano, routerOf } from 'moesim'
import { describe, expect, test } from 'vitest'

interface Derived {
  total: number
  totalWithoutRouterBias: number
  totalWithMtp: number | null
  mtp: number | null
  activeBackbone: number
  activeWithoutEmbedding: number
  activeWithEmbedding: number
  embedding: number
  lmHead: number
  tied: boolean
  components: Record<string, { total: number; active: number }>
}

interface Entry {
  name: string
  model_type: string
  config: Record<string, never> & { num_hidden_layers: number; vocab_size: number }
  exactTotal: number | null
  exactMatches: string[] | null
  derived: Derived
}

/** What test/fixtures/README.md describes; the two models without a config are left to the tests of the presets. */
const fixture = new URL('../../fixtures/models.json', import.meta.url)
const entries = (JSON.parse(readFileSync(fixture, 'utf8')) as Entry[]).filter(({ config }) => config)

/** The sums that `exactMatches` names. */
const sums: Record<string, (entry: Entry, model: ModelConfig) => number> = {
  total: (_, model) => countParameters(model).total,
  'total-routerBias': (_, model) => {
    const { total, parts } = countParameters(model)
    return total - parts.routerBias.total
  },
  'total+mtp': (_, model) => {
    const { total, mtp } = countParameters(model)
    return total + mtp
  },
  'total+mtp-routerBias(all)': (_, model) => {
    const { total, mtp, parts } = countParameters(model)
    const blocks = sublayersOf(model, (model.mtp ?? []).join(''))
    return total + mtp - parts.routerBias.total - blocks
  },
  'total+mtp+embedAndHeadCopies': (_, model) => {
    const { total, mtp, parts } = countParameters(model)
    return total + mtp + parts.embedding.total + parts.lmHead.total
  },
  // The table of the hash-routed layers: K expert numbers for every token id.
  'total+mtp+delta': (entry, model) => {
    const { total, mtp } = countParameters(model)
    const { num_hash_layers, num_experts_per_tok } = entry.config
    return total + mtp + num_hash_layers! * entry.config.vocab_size * num_experts_per_tok!
  },
  'total+delta': (entry, model) => {
    const { total, parts } = countParameters(model)
    // Moonlight: 64 more for each layer, as buffers of rotary frequencies would be.
    if (entry.model_type === 'deepseek_v3') return total + 64 * entry.config.num_hidden_layers
    // LongCat stores a multi-token-prediction block of latent attention and dense MLP, and a copy of the embedding.
    const [latent, mlp] = model.layers.E
    const { mtp } = countParameters({ ...model, layers: { ...model.layers, X: [latent, mlp] }, mtp: ['X'] })
    return total + mtp + parts.embedding.total
  },
  // Llama 4 Scout: its vision tower and projector, which no field of the text config describes.
  'total+extra': (_, model) => countParameters(model).total + 871_932_416,
}

/** Correction biases in a stack. */
const sublayersOf = (model: ModelConfig, pattern: string): number =>
  [...pattern]
    .flatMap((letter) => model.layers[letter])
    .reduce(
      (all, layer) => all + (layer.kind === 'moe' && layer.correctionBias ? layer.router.numExperts : 0),
      0,
    )

describe('counts from the config, to the unit', () => {
  test('the fixture has the 42 models with a config', () => expect(entries).toHaveLength(42))

  test.each(entries.map((entry) => [entry.name, entry] as const))('%s', (_, entry) => {
    const model = fromHuggingFaceConfig(entry.config)
    const { total, active, mtp, parts } = countParameters(model)
    const { derived, exactTotal, exactMatches } = entry
    for (const sum of exactMatches ?? []) expect(sums[sum](entry, model)).toBe(exactTotal)
    expect(exactMatches === null).toBe(exactTotal === null)
    const components = Object.entries(derived.components).filter(([, { total }]) => total > 0)
    expect(parts).toEqual(Object.fromEntries(components))
    const ours: Omit<Derived, 'components'> = {
      total,
      totalWithoutRouterBias: total - (parts.routerBias?.total ?? 0),
      totalWithMtp: mtp === 0 ? null : total + mtp,
      mtp: mtp || null,
      activeBackbone: active.backbone,
      activeWithoutEmbedding: active.withHead,
      activeWithEmbedding: active.withEmbedding,
      embedding: parts.embedding.total,
      lmHead: parts.lmHead?.total ?? 0,
      tied: model.tiedEmbeddings,
    }
    expect({ ...ours, components: derived.components }).toEqual(derived)
  })
})

const config = (name: string): Record<string, unknown> => {
  const entry = entries.find((each) => each.name.startsWith(name))
  return structuredClone(entry!.config)
}

describe('what is read beside the sizes', () => {
  test('Nemotron 3 Nano counts and routes like its preset', () => {
    const model = fromHuggingFaceConfig(config('Nemotron 3 Nano'))
    expect(countParameters(model)).toEqual(countParameters(nemotron3Nano))
    expect(model.pattern).toBe(nemotron3Nano.pattern)
    expect({ ...routerOf(model), epsilon: 1e-20 }).toEqual(routerOf(nemotron3Nano))
  })

  test.each([
    ['DeepSeek-V3 /', { scoreFunction: 'sigmoid', normalize: true, scale: 2.5, numGroups: 8, topGroups: 4 }],
    [
      'DeepSeek-V2',
      { scoreFunction: 'softmax', normalize: false, scale: 16, numGroups: 8, groupScoreTop: 1 },
    ],
    ['DeepSeek-V4', { scoreFunction: 'sqrtsoftplus', normalize: true, scale: 1.5, topK: 6 }],
    ['Mixtral', { scoreFunction: 'softmax', normalize: true, scale: 1, numExperts: 8, topK: 2 }],
    ['gpt-oss', { scoreFunction: 'softmax', softmaxOrder: 'afterTopK', normalize: false, topK: 4 }],
    ['OLMoE', { scoreFunction: 'softmax', normalize: false, numExperts: 64, topK: 8 }],
    ['Llama-4', { scoreFunction: 'sigmoid', normalize: false, topK: 1 }],
    ['LongCat', { scoreFunction: 'softmax', normalize: false, scale: 6, numExperts: 768, topK: 12 }],
    ['Hunyuan-Large', { scoreFunction: 'softmax', normalize: false, topK: 1 }],
    ['Kimi-K3', { scoreFunction: 'sigmoid', normalize: true, numExperts: 896, topK: 16 }],
  ])('the router of %s', (name, router) => {
    expect(routerOf(fromHuggingFaceConfig(config(name)))).toMatchObject(router)
  })

  test('only layers that look back without end have no window', () => {
    const windows = (name: string): (number | undefined)[] => {
      const { pattern, layers } = fromHuggingFaceConfig(config(name))
      return [...pattern].map((letter) => (layers[letter][0] as { window?: number }).window)
    }
    expect(windows('gpt-oss').slice(0, 4)).toEqual([128, undefined, 128, undefined])
    expect(windows('Llama-4').slice(0, 4)).toEqual([8192, 8192, 8192, undefined])
    expect(windows('MiMo').filter((window) => window === 128)).toHaveLength(39)
    expect(windows('Qwen3-30B')).toEqual(new Array(48).fill(undefined))
    expect(windows('DeepSeek-V4')).toEqual(new Array(43).fill(128))
  })

  test('the first three layers of DeepSeek-V4 choose by token id', () => {
    const { pattern, layers } = fromHuggingFaceConfig(config('DeepSeek-V4'))
    const moes = [...pattern].map((letter) => layers[letter][1] as { hashed?: true; correctionBias: boolean })
    expect(moes.map(({ hashed }) => hashed === true).lastIndexOf(true)).toBe(2)
    expect(moes.filter(({ correctionBias }) => correctionBias)).toHaveLength(40)
  })
})
