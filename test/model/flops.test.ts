import fc from 'fast-check'
import {
  countParameters,
  defineModel,
  flopsOf,
  InputError,
  type ModelConfig,
  nemotron3Nano,
  presets,
  type Sublayer,
  tinyNemotronH,
} from 'moesim'
import { describe, expect, test } from 'vitest'

const weightsOf = ({ parts }: { parts: Readonly<Record<string, number>> }): number =>
  Object.entries(parts)
    .filter(([part]) => !/Scores|Scan/.test(part))
    .reduce((sum, [, operations]) => sum + operations, 0)

describe('published figures', () => {
  // arXiv 2505.09343, table 2: training at 4096 tokens, forward and backward, with causal attention.
  test.each([
    ['deepseek-v2', 155],
    ['deepseek-v3', 250],
  ])('%s trains with %d GFLOP a token', (preset, published) => {
    const { total } = flopsOf(presets[preset]!, { tokens: 4096, logits: 4096 })
    expect(Math.round((3 * total) / 4096 / 1e9)).toBe(published)
  })

  test('shared experts of Nemotron 3 Nano do a quarter of the work of active experts', () => {
    const { sharedExperts, routedExperts } = flopsOf(nemotron3Nano, { tokens: 1 }).parts
    expect(sharedExperts! / (sharedExperts! + routedExperts!)).toBe(0.25)
  })
})

test.each(Object.keys(presets))('%s: two operations for each weight that a token reads', (preset) => {
  const model = presets[preset]!
  const { active } = countParameters(model)
  expect(weightsOf(flopsOf(model, { tokens: 1 }))).toBe(2 * active.withHead)
  expect(weightsOf(flopsOf(model, { tokens: 7, logits: 0 }))).toBe(14 * active.backbone)
  const { total, parts } = flopsOf(model, { tokens: 5, contextTokens: 3 })
  expect(total).toBe(Object.values(parts).reduce((sum, part) => sum + part))
  expect(parts.embedding).toBeUndefined()
})

/** A model of one layer of one sublayer. */
const single = (sublayer: Sublayer): ModelConfig =>
  defineModel({ ...tinyNemotronH, pattern: 'X', layers: { X: [sublayer] } })
const beside = (sublayer: Sublayer, options: Parameters<typeof flopsOf>[1]): Record<string, number> =>
  Object.fromEntries(
    Object.entries(flopsOf(single(sublayer), options).parts).filter(([part]) => /Scores|Scan/.test(part)),
  )

describe('a state', () => {
  test.each<[sublayer: Sublayer, each: number]>([
    [{ kind: 'mamba2', numHeads: 4, headDim: 8, stateSize: 16, numGroups: 2, convKernel: 4 }, 5 * 4 * 8 * 16],
    [{ kind: 'mamba1', innerSize: 32, stateSize: 16, timeStepRank: 4, convKernel: 4 }, 7 * 32 * 16],
    [
      {
        kind: 'gatedDeltaNet',
        numKeyHeads: 2,
        keyHeadDim: 8,
        numValueHeads: 4,
        valueHeadDim: 16,
        convKernel: 4,
      },
      7 * 4 * 8 * 16,
    ],
    [{ kind: 'lightningAttention', numHeads: 4, headDim: 8 }, 5 * 4 * 8 * 8],
    [{ kind: 'kimiDeltaAttention', numHeads: 4, headDim: 8, convKernel: 4 }, 7 * 4 * 8 * 8],
  ])('of $kind costs the same at every token', (sublayer, each) => {
    expect(beside(sublayer, { tokens: 1 })).toEqual({ stateScan: each })
    expect(beside(sublayer, { tokens: 10, contextTokens: 1000 })).toEqual({ stateScan: 10 * each })
  })
})

/** Tokens that new ones see, one by one. */
function looked(tokens: number, context: number, most: number): { fresh: number; cached: number } {
  let [fresh, cached] = [0, 0]
  for (let token = 1; token <= tokens; token++) {
    const own = Math.min(token, most)
    fresh += own
    cached += Math.min(context + token, most) - own
  }
  return { fresh, cached }
}
const sizes = fc.record({
  tokens: fc.integer({ min: 1, max: 40 }),
  context: fc.integer({ min: 0, max: 60 }),
  most: fc.integer({ min: 1, max: 50 }),
})
const indexer = { numHeads: 2, headDim: 4 }

describe('attention', () => {
  const grouped = { kind: 'attention', numHeads: 4, numKeyValueHeads: 2, headDim: 8 } as const

  test('costs 2 · heads · (key + value width) for each token in sight, or in the window', () => {
    fc.assert(
      fc.property(sizes, ({ tokens, context, most }) => {
        const all = looked(tokens, context, 1000)
        const each = 2 * 4 * (8 + 8)
        expect(beside(grouped, { tokens, contextTokens: context })).toEqual({
          attentionScores: each * (all.fresh + all.cached),
        })
        const near = looked(tokens, context, most)
        expect(
          beside({ ...grouped, window: most, valueHeadDim: 6 }, { tokens, contextTokens: context }),
        ).toEqual({
          attentionScores: 2 * 4 * (8 + 6) * (near.fresh + near.cached),
        })
      }),
    )
  })

  test('of gated heads and of expert heads counts the heads of queries', () => {
    const gated = { kind: 'gatedAttention', numHeads: 4, numKeyValueHeads: 2, headDim: 8 } as const
    expect(beside(gated, { tokens: 1, contextTokens: 9 })).toEqual({ attentionScores: 10 * 4 * 4 * 8 })
    const experts = {
      kind: 'attentionExperts',
      numExperts: 8,
      topK: 3,
      numKeyValueHeads: 2,
      headDim: 8,
    } as const
    expect(beside(experts, { tokens: 1, contextTokens: 9 })).toEqual({ attentionScores: 10 * 4 * 6 * 8 })
  })

  test('of latent vectors reads the cache at their width, and new tokens at that of heads', () => {
    const latent = {
      kind: 'latentAttention',
      numHeads: 4,
      keyValueRank: 32,
      nopeHeadDim: 8,
      ropeHeadDim: 4,
      valueHeadDim: 6,
    } as const
    fc.assert(
      fc.property(sizes, ({ tokens, context, most }) => {
        const spread = 2 * 4 * (8 + 4 + 6)
        const narrow = 2 * 4 * (32 + 4 + 32)
        const all = looked(tokens, context, 1000)
        expect(beside(latent, { tokens, contextTokens: context })).toEqual({
          attentionScores: all.fresh * spread + all.cached * narrow,
        })
        const some = looked(tokens, context, most)
        expect(
          beside({ ...latent, indexer: { ...indexer, topK: most } }, { tokens, contextTokens: context }),
        ).toEqual({
          attentionScores: some.fresh * spread + some.cached * narrow,
          indexerScores: 2 * 2 * 4 * (all.fresh + all.cached),
        })
      }),
    )
  })

  test('with an indexer of blocks scores every token, and attends to those chosen', () => {
    expect(
      beside({ ...grouped, indexer: { ...indexer, topK: 10 } }, { tokens: 1, contextTokens: 99 }),
    ).toEqual({
      attentionScores: 10 * 128,
      indexerScores: 100 * 16,
    })
  })

  test('of an indexer that says nothing of it chooses all', () => {
    expect(beside({ ...grouped, indexer }, { tokens: 1, contextTokens: 99 })).toEqual({
      attentionScores: 100 * 128,
      indexerScores: 100 * 16,
    })
  })

  // index_topk of DeepSeek-V3.2, 61 layers of 128 heads: 2,048 latent vectors of 512 + 64, the last one spread out.
  test('is bounded by the index_topk of a config, or by its blocks', () => {
    const scores = (preset: string, context: number): number | undefined =>
      flopsOf(presets[preset]!, { tokens: 1, contextTokens: context }).parts.attentionScores
    const latent = 61 * 2 * 128 * (2047 * (512 + 64 + 512) + (192 + 128))
    expect(scores('deepseek-v3.2', 100_000)).toBe(latent)
    expect(scores('deepseek-v3', 2047)).toBe(latent)
    const blocks = scores('minimax-m3', 100_000)! - scores('minimax-m3', 50_000)!
    expect(blocks).toBe(3 * 2 * 64 * 2 * 128 * 50_000) // only the three dense layers see more
  })

  test('of compressed entries sees near tokens whole and far ones by their entries', () => {
    const compressed = {
      kind: 'compressedAttention',
      numHeads: 4,
      headDim: 8,
      queryRank: 8,
      outputRank: 8,
      outputGroups: 2,
    } as const
    const each = 2 * 4 * 16
    const at = { tokens: 1, contextTokens: 99 }
    expect(beside({ ...compressed, compressRatio: 0 }, at)).toEqual({ attentionScores: 100 * each })
    expect(beside({ ...compressed, compressRatio: 0, window: 16 }, at)).toEqual({
      attentionScores: 16 * each,
    })
    expect(beside({ ...compressed, compressRatio: 50, window: 16 }, at)).toEqual({
      attentionScores: 18 * each,
    })
    expect(
      beside({ ...compressed, compressRatio: 4, window: 16, indexer: { ...indexer, topK: 5 } }, at),
    ).toEqual({
      attentionScores: (16 + 5) * each,
      indexerScores: 25 * 16,
    })
  })
})

test.each(['nemotron-3-nano-30b-a3b', 'gpt-oss-20b', 'qwen3-next-80b-a3b', 'minimax-text-01', 'minimax-m3'])(
  '%s: a text in two halves costs what it costs whole',
  (preset) => {
    const model = presets[preset]!
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 5000 }), (a, b) => {
        const halves =
          flopsOf(model, { tokens: a, logits: 0 }).total +
          flopsOf(model, { tokens: b, contextTokens: a }).total
        expect(halves).toBe(flopsOf(model, { tokens: a + b }).total)
      }),
      { numRuns: 20 },
    )
  },
)

test.each([
  [{ tokens: 0 }, 'flopsOf: tokens must be a whole number from 1 to '],
  [{ tokens: 1.5 }, 'flopsOf: tokens'],
  [{ tokens: 2, contextTokens: -1 }, 'flopsOf: context'],
  [{ tokens: 2, logits: 3 }, 'flopsOf: logits must be a whole number from 0 to 2, got 3'],
  [{ tokens: Number.NaN }, 'flopsOf: tokens'],
])('%j is refused', (options, rule) => {
  expect(() => flopsOf(tinyNemotronH, options)).toThrow(rule)
  expect(() => flopsOf(tinyNemotronH, options)).toThrow(InputError)
})
