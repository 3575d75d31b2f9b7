import fc from 'fast-check'
import {
  type Attention,
  countParameters,
  type DenseMlp,
  type Mamba2,
  type MixtureOfExperts,
  type ModelConfig,
  nemotron3Nano,
  type ParameterCount,
  type Sublayer,
  tinyNemotronH,
} from 'moesim'
import { describe, expect, test } from 'vitest'

describe('Nemotron 3 Nano', () => {
  const count = countParameters(nemotron3Nano)

  test('stores as many parameters as its checkpoint', () => {
    expect(count.total).toBe(31_577_940_288) // llama.cpp
    expect(count.total - count.parts.routerBias.total).toBe(31_577_937_344) // Hugging Face, without 23 × 128 biases
    expect(count.mtp).toBe(0)
  })

  test('is A3B when the head counts and the embedding does not', () => {
    const active = { backbone: 2_875_433_280, withHead: 3_227_754_816, withEmbedding: 3_580_076_352 }
    expect(count.active).toEqual(active)
    expect(count.active.backbone - count.parts.routerBias.active).toBe(2_875_430_336)
  })

  test.each([
    ['mamba', 891_070_784, 891_070_784],
    ['attention', 140_378_112, 140_378_112],
    ['routedExperts', 29_374_808_064, 1_376_944_128],
    ['sharedExperts', 458_981_376, 458_981_376],
    ['router', 7_913_472, 7_913_472],
    ['routerBias', 2_944, 2_944],
    ['norms', 142_464, 142_464],
    ['embedding', 352_321_536, 352_321_536],
    ['lmHead', 352_321_536, 352_321_536],
  ])('%s: %i stored, %i active', (part, total, active) => {
    expect(count.parts[part]).toEqual({ total, active })
  })

  test('has those nine parts and no other', () => expect(Object.keys(count.parts)).toHaveLength(9))

  test.each([
    ['M', 38_742_208, 38_742_208],
    ['*', 23_396_352, 23_396_352],
    ['E', 1_297_465_344 + 128, 80_166_912 + 128], // both with the biases of its router
  ])('a layer %s has %i stored and %i active, without its norm', (letter, total, active) => {
    const one = countParameters({ ...nemotron3Nano, pattern: letter })
    const outside = one.parts.norms.total + one.parts.embedding.total + one.parts.lmHead.total
    expect([one.total - outside, one.active.withEmbedding - outside]).toEqual([total, active])
  })
})

test('the small trained model stores as many parameters as its weights file', () => {
  const { total, parts } = countParameters(tinyNemotronH)
  expect(total - parts.routerBias.total).toBe(3_675_176)
  expect(total).toBe(3_675_560)
})

const attention = (numHeads: number, numKeyValueHeads: number, headDim: number): Attention => ({
  kind: 'attention',
  numHeads,
  numKeyValueHeads,
  headDim,
})

const gatedMlp = (width: number): DenseMlp => ({ kind: 'mlp', width, activation: 'silu', gated: true })

const softmaxMoe = (
  numExperts: number,
  topK: number,
  expertWidth: number,
  sharedExperts = 0,
): MixtureOfExperts => ({
  kind: 'moe',
  router: { numExperts, topK, scoreFunction: 'softmax', normalize: false, scale: 1 },
  correctionBias: false,
  expertWidth,
  sharedExperts,
  sharedExpertWidth: sharedExperts && expertWidth,
  activation: 'silu',
  gated: true,
})

describe('published models whose parts exist are data only, and match their checkpoints', () => {
  const transformer = (layer: Sublayer[], first: Sublayer[] = layer): ModelConfig['layers'] => ({
    F: first,
    L: layer,
  })

  test('Mixtral-8x7B', () => {
    const { total, active } = countParameters({
      name: 'Mixtral-8x7B',
      hiddenSize: 4096,
      vocabSize: 32000,
      tiedEmbeddings: false,
      pattern: 'L'.repeat(32),
      layers: transformer([attention(32, 8, 128), softmaxMoe(8, 2, 14336)]),
    })
    expect(total).toBe(46_702_792_704)
    expect(active.withEmbedding).toBe(12_879_925_248)
  })

  test('DeepSeek-MoE-16B, whose first layer is dense', () => {
    const heads = attention(16, 16, 128)
    const { total, active, parts } = countParameters({
      name: 'DeepSeek-MoE-16B',
      hiddenSize: 2048,
      vocabSize: 102400,
      tiedEmbeddings: false,
      pattern: `F${'L'.repeat(27)}`,
      layers: transformer([heads, softmaxMoe(64, 6, 1408, 2)], [heads, gatedMlp(10944)]),
    })
    expect(total).toBe(16_375_728_128)
    expect(active).toEqual({ backbone: 2_409_220_096, withHead: 2_618_935_296, withEmbedding: 2_828_650_496 })
    expect(parts.denseMlp.total).toBe(67_239_936)
  })

  test('Granite-3.0-3B-A800M, whose head is its embedding', () => {
    const { total, active, parts } = countParameters({
      name: 'Granite-3.0-3B-A800M',
      hiddenSize: 1536,
      vocabSize: 49155,
      tiedEmbeddings: true,
      pattern: 'L'.repeat(32),
      layers: transformer([attention(24, 8, 64), softmaxMoe(40, 8, 512)]),
    })
    expect(total).toBe(3_298_793_472)
    expect(active).toEqual({ backbone: 807_372_288, withHead: 882_874_368, withEmbedding: 882_874_368 })
    expect(parts.lmHead).toBeUndefined()
  })

  test('Granite-4.0-H-Small, whose every layer is a mixer and a mixture of experts', () => {
    const moe = { ...softmaxMoe(72, 10, 768), sharedExperts: 1, sharedExpertWidth: 1536 }
    const mamba: Mamba2 = {
      kind: 'mamba2',
      numHeads: 128,
      headDim: 64,
      stateSize: 128,
      numGroups: 1,
      convKernel: 4,
    }
    const { total } = countParameters({
      name: 'Granite-4.0-H-Small',
      hiddenSize: 4096,
      vocabSize: 100352,
      tiedEmbeddings: true,
      pattern: 'MMMMM*MMMM'.repeat(4),
      layers: { M: [mamba, moe], '*': [attention(32, 8, 128), moe] },
    })
    expect(total).toBe(32_207_337_984)
  })

  test('Nemotron 3 Super, with latent experts and a multi-token-prediction block', () => {
    const [mamba, moe] = [nemotron3Nano.layers.M[0] as Mamba2, nemotron3Nano.layers.E[0] as MixtureOfExperts]
    const { total, active, mtp, parts } = countParameters({
      ...nemotron3Nano,
      name: 'Nemotron 3 Super',
      hiddenSize: 4096,
      pattern: 'MEMEMEM*EMEMEMEM*EMEMEMEM*EMEMEMEMEM*EMEMEMEMEM*EMEMEMEMEM*EMEMEMEMEM*EMEMEMEM*EMEMEMEME',
      layers: {
        ...nemotron3Nano.layers,
        M: [{ ...mamba, numHeads: 128 }],
        E: [
          {
            ...moe,
            router: { ...moe.router, numExperts: 512, topK: 22, scale: 5 },
            expertWidth: 2688,
            sharedExpertWidth: 2688,
            latentWidth: 1024,
          },
        ],
      },
      mtp: ['*E'],
    })
    expect(parts.latentProj).toEqual({ total: 335_544_320, active: 335_544_320 })
    expect(parts.routedExperts).toEqual({ total: 112_742_891_520, active: 4_844_421_120 })
    expect({ total, mtp }).toEqual({ total: 120_668_707_840, mtp: 2_942_325_248 })
    expect(active.withHead).toBe(12_233_366_528)
    expect(total + mtp - 41 * 512).toBe(123_611_012_096) // the checkpoint, without any correction bias
  })
})

describe('for any model', () => {
  const size = fc.integer({ min: 1, max: 300 })
  const few = fc.integer({ min: 1, max: 8 })
  const mamba2 = fc.record({ groups: few, per: few, headDim: size, stateSize: size, convKernel: few }).map(
    ({ groups, per, ...rest }): Sublayer => ({
      kind: 'mamba2',
      numHeads: groups * per,
      numGroups: groups,
      ...rest,
    }),
  )
  const heads = fc
    .tuple(few, few, size)
    .map(([keys, per, headDim]): Sublayer => attention(keys * per, keys, headDim))
  const mlp = fc
    .record({ width: size, gated: fc.boolean() })
    .map((fields): Sublayer => ({ kind: 'mlp', activation: 'gelu', ...fields }))
  const moe = fc
    .record({
      topK: few,
      spare: fc.nat(20),
      correctionBias: fc.boolean(),
      expertWidth: size,
      shared: fc.option(fc.tuple(few, size), { nil: [0, 0] as const }),
      gated: fc.boolean(),
      latentWidth: fc.option(size),
    })
    .map(
      ({ topK, spare, shared: [sharedExperts, sharedExpertWidth], latentWidth, ...rest }): Sublayer => ({
        kind: 'moe',
        router: { numExperts: topK + spare, topK, scoreFunction: 'sigmoid', normalize: true, scale: 1 },
        sharedExperts,
        sharedExpertWidth,
        activation: 'relu2',
        ...rest,
        ...(latentWidth === null ? {} : { latentWidth }),
      }),
    )
  const yes = fc.constant(true as const)
  const optional = { requiredKeys: [] as never[] }
  const indexer = fc.record({ numHeads: few, headDim: size })
  const attentionOptions = fc.record(
    {
      valueHeadDim: size,
      biases: fc.constantFrom('qkv' as const, 'qkvo' as const),
      qkNorm: fc.constantFrom('perHead' as const, 'fullWidth' as const),
      sinks: yes,
      queryRank: size,
      sharesKeyValues: yes,
      indexer,
      window: size,
    },
    optional,
  )
  const latentOptions = fc.record({ queryRank: size, outputGate: yes, indexer }, optional)
  const moeOptions = fc.record(
    { sharedGate: yes, latentNorm: yes, expertBiases: yes, outputBias: yes, sharesNorm: yes, hashed: yes },
    optional,
  )
  const compressed = fc
    .tuple(few, few, size, fc.constantFrom(0, 4, 128), fc.record({ indexer }, optional))
    .map(([outputGroups, per, width, compressRatio, options]): Sublayer => {
      const ranks = { queryRank: width + 1, outputRank: width + 2 }
      const numHeads = outputGroups * per
      return {
        kind: 'compressedAttention',
        numHeads,
        headDim: width,
        ...ranks,
        outputGroups,
        compressRatio,
        ...options,
      }
    })
  const exotic = fc.tuple(few, few, size, size).map(([a, b, c, d]): Sublayer[] => [
    { kind: 'mamba1', innerSize: d, stateSize: a, timeStepRank: c, convKernel: b },
    { kind: 'gatedAttention', numHeads: a * b, numKeyValueHeads: a, headDim: c },
    { kind: 'attentionExperts', numExperts: a + b, topK: a, numKeyValueHeads: b, headDim: c },
    {
      kind: 'gatedDeltaNet',
      numKeyHeads: a,
      numValueHeads: a * b,
      keyHeadDim: c,
      valueHeadDim: d,
      convKernel: b,
    },
    { kind: 'lightningAttention', numHeads: a, headDim: c },
    { kind: 'kimiDeltaAttention', numHeads: a, headDim: c, convKernel: b },
    { kind: 'kimiDeltaAttention', numHeads: a, headDim: c, convKernel: b, fullRankGate: true },
  ])
  const others = [
    fc.tuple(heads, attentionOptions).map(([plain, options]) => ({ ...plain, ...options }) as Sublayer),
    fc.tuple(moe, moeOptions).map(([plain, options]) => ({ ...plain, ...options }) as Sublayer),
    fc
      .tuple(few, size, size, size, size, latentOptions)
      .map(([numHeads, keyValueRank, nopeHeadDim, ropeHeadDim, valueHeadDim, options]): Sublayer => {
        const dims = { keyValueRank, nopeHeadDim, ropeHeadDim, valueHeadDim }
        return { kind: 'latentAttention', numHeads, ...dims, ...options }
      }),
    compressed,
    exotic.chain((all) => fc.constantFrom(...all)),
  ]
  const layer = fc.array(fc.oneof(mamba2, heads, mlp, moe, ...others), { minLength: 1, maxLength: 4 })
  const model = fc
    .record({
      hiddenSize: size,
      vocabSize: size,
      tiedEmbeddings: fc.boolean(),
      pattern: fc.string({ unit: fc.constantFrom('a', 'b', '*'), minLength: 1, maxLength: 12 }),
      layers: fc.record({ a: layer, b: layer, '*': layer }),
      mtp: fc.constantFrom<string[][]>([], ['a'], ['b*', 'a']),
      connected: fc.record(
        { normBiases: yes, postNorms: yes, hyperConnections: few, attentionResiduals: yes },
        optional,
      ),
    })
    .map(({ connected, ...fields }): ModelConfig => ({ name: 'any', ...fields, ...connected }))

  test('the parts sum to the total and to the active parameters', () => {
    fc.assert(
      fc.property(model, (any) => {
        const { total, active, parts } = countParameters(any)
        const sum = (of: 'total' | 'active') =>
          Object.values(parts).reduce((before, part) => before + part[of], 0)
        expect(sum('total')).toBe(total)
        expect(sum('active')).toBe(active.withEmbedding)
        for (const part of Object.values(parts)) {
          expect(part.active).toBeGreaterThan(0)
          expect(part.active).toBeLessThanOrEqual(part.total)
        }
      }),
    )
  })

  /** What each part has more in `a` than in `b`, without the parts that are equal. */
  const difference = (
    a: ParameterCount,
    b: ParameterCount,
  ): Record<string, [total: number, active: number]> => {
    const none = { total: 0, active: 0 }
    const names = Object.keys({ ...a.parts, ...b.parts }).sort()
    const pairs = names.map((name) => [name, a.parts[name] ?? none, b.parts[name] ?? none] as const)
    return Object.fromEntries(
      pairs
        .filter(([, of, from]) => of.total !== from.total || of.active !== from.active)
        .map(([name, of, from]) => [name, [of.total - from.total, of.active - from.active]]),
    )
  }

  test('removing a layer removes exactly the parts of that layer', () => {
    fc.assert(
      fc.property(model, fc.nat(), (any, at) => {
        const count = (pattern: string) => countParameters({ ...any, pattern })
        const { pattern } = any
        fc.pre(pattern.length > 1)
        const i = at % pattern.length
        const [letter, others] = [pattern[i], pattern.slice(0, i) + pattern.slice(i + 1)]
        const removed = difference(count(pattern), count(others))
        expect(removed).toEqual(difference(count(letter + letter), count(letter)))
      }),
    )
  })

  const withExperts = (any: ModelConfig, more: number): ModelConfig => {
    const grow = (sublayer: Sublayer): Sublayer =>
      sublayer.kind === 'moe'
        ? { ...sublayer, router: { ...sublayer.router, numExperts: sublayer.router.numExperts + more } }
        : sublayer
    const layers = Object.entries(any.layers).map(([letter, sublayers]) => [letter, sublayers.map(grow)])
    return { ...any, layers: Object.fromEntries(layers) }
  }

  test('the count is linear in the experts, and a token reads no more of them', () => {
    fc.assert(
      fc.property(model, fc.nat(1000), (any, more) => {
        const [now, next, then] = [0, 1, more].map((extra) => countParameters(withExperts(any, extra)))
        expect(then.total - now.total).toBe(more * (next.total - now.total))
        expect(then.mtp - now.mtp).toBe(more * (next.mtp - now.mtp))
        const moes = [...any.pattern]
          .flatMap((letter) => any.layers[letter])
          .filter(({ kind }) => kind === 'moe')
        const biases = moes.filter((sublayer) => 'correctionBias' in sublayer && sublayer.correctionBias)
        const rows = more * (moes.length * any.hiddenSize + biases.length)
        expect(then.active.backbone - now.active.backbone).toBe(rows)
      }),
    )
  })

  test('tying the embeddings saves one table and no computation', () => {
    fc.assert(
      fc.property(model, (any) => {
        const tied = countParameters({ ...any, tiedEmbeddings: true })
        const untied = countParameters({ ...any, tiedEmbeddings: false })
        const table = any.vocabSize * any.hiddenSize
        expect(untied.total - tied.total).toBe(table)
        expect(tied.active.withEmbedding).toBe(tied.active.withHead)
        expect(untied.active.withEmbedding - untied.active.withHead).toBe(table)
        expect([tied.active.backbone, tied.active.withHead]).toEqual([
          untied.active.backbone,
          untied.active.withHead,
        ])
        expect(untied.mtp).toBe(tied.mtp)
      }),
    )
  })

  test('shared experts count alike as several and as one of their summed width', () => {
    fc.assert(
      fc.property(few, size, (shared, width) => {
        const one = softmaxMoe(8, 2, 16)
        const total = (sharedExperts: number, sharedExpertWidth: number): number =>
          countParameters({
            ...nemotron3Nano,
            layers: { ...nemotron3Nano.layers, E: [{ ...one, sharedExperts, sharedExpertWidth }] },
          }).total
        expect(total(shared, width)).toBe(total(1, shared * width))
      }),
    )
  })
})

describe('what a model may have beside its sublayers', () => {
  const plain: ModelConfig = { ...nemotron3Nano, pattern: 'MEM*' }
  const more = (fields: Partial<ModelConfig>): Record<string, number> => {
    const [a, b] = [countParameters({ ...plain, ...fields }), countParameters(plain)]
    const names = Object.keys(a.parts).filter((part) => a.parts[part].total !== b.parts[part]?.total)
    return Object.fromEntries(names.map((part) => [part, a.parts[part].total - (b.parts[part]?.total ?? 0)]))
  }
  const D = 2688

  test('biases of norms', () => expect(more({ normBiases: true })).toEqual({ norms: 5 * D }))
  test('norms after sublayers', () => expect(more({ postNorms: true })).toEqual({ norms: 4 * D }))
  test('a bias of the head, which a tied head keeps', () => {
    expect(more({ headBias: true })).toEqual({ lmHead: 131072 })
    const tied = countParameters({ ...plain, headBias: true, tiedEmbeddings: true })
    expect(tied.parts.lmHead.total).toBe(131072)
    expect(tied.active.withHead).toBe(tied.active.withEmbedding)
  })
  test('residuals from every layer before', () =>
    expect(more({ attentionResiduals: true })).toEqual({ attnRes: 2 * D * 5 }))
  test('two streams: 8 weights from both for each sublayer, 2 at the end', () => {
    const expected = 4 * (8 * 2 * D + 8 + 3) + (2 * 2 * D + 2 + 1)
    expect(more({ hyperConnections: 2 })).toEqual({ hyperConnections: expected })
  })
})

test('of zero experts a token reads none, and chooses them as often as others', () => {
  const moe = { ...softmaxMoe(12, 4, 64), zeroExperts: 3 }
  const { parts } = countParameters({ ...nemotron3Nano, pattern: 'E', layers: { E: [moe] } })
  const expert = 3 * 2688 * 64
  expect(parts.routedExperts).toEqual({ total: 9 * expert, active: 3 * expert })
  expect(parts.router.total).toBe(12 * 2688)
})

test('a model too large to count exactly is refused', () => {
  const huge = { ...softmaxMoe(2 ** 20, 1, 2 ** 20), latentWidth: 2 ** 13 }
  const of = (latentWidth: number): ModelConfig => ({
    ...nemotron3Nano,
    pattern: 'E',
    layers: { E: [{ ...huge, latentWidth }] },
  })
  expect(countParameters(of(2 ** 11)).total).toBeLessThan(2 ** 53)
  expect(() => countParameters(of(2 ** 12))).toThrow('fewer than 2^53 parameters')
})
