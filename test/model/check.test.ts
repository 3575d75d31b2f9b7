import {
  checkModel,
  countParameters,
  defineModel,
  InputError,
  type ModelConfig,
  nemotron3Nano,
  presets,
  routerOf,
} from 'moesim'
import { describe, expect, test } from 'vitest'

/** A model of one layer, which holds one sublayer of a kind that no checkpoint of NVIDIA has. */
const withOnly = (sublayer: object): ModelConfig => model({ pattern: 'X', layers: { X: [sublayer] } })

const attention = { kind: 'attention', numHeads: 8, numKeyValueHeads: 2, headDim: 16 }
const latent = {
  kind: 'latentAttention',
  numHeads: 8,
  keyValueRank: 32,
  nopeHeadDim: 16,
  ropeHeadDim: 8,
  valueHeadDim: 16,
}
const compressed = {
  kind: 'compressedAttention',
  numHeads: 8,
  headDim: 16,
  queryRank: 32,
  outputRank: 16,
  outputGroups: 4,
  compressRatio: 4,
}
const delta = {
  kind: 'gatedDeltaNet',
  numKeyHeads: 2,
  keyHeadDim: 16,
  numValueHeads: 4,
  valueHeadDim: 16,
  convKernel: 4,
}

/** Nemotron 3 Nano as loose data, with some fields replaced. */
const model = (fields: object = {}): ModelConfig =>
  ({ ...structuredClone(nemotron3Nano), ...fields }) as ModelConfig

/** The same, with some fields of its only sublayer under a letter replaced. */
const withSublayer = (letter: string, fields: object): ModelConfig => {
  const { layers } = model()
  return model({ layers: { ...layers, [letter]: [{ ...layers[letter][0], ...fields }] } })
}

const withRouter = (fields: object): ModelConfig =>
  withSublayer('E', { router: { ...routerOf(nemotron3Nano), ...fields } })

const withDense = (fields: object): ModelConfig =>
  model({
    pattern: 'D',
    layers: { D: [{ kind: 'mlp', width: 8, activation: 'silu', gated: true, ...fields }] },
  })

const nothing = null as unknown as ModelConfig
const deep = JSON.parse(`${'['.repeat(5000)}${']'.repeat(5000)}`)

describe('a model is accepted', () => {
  test.each(Object.keys(presets))('when it is the preset %s', (name) => checkModel(presets[name]))
  test('with a dense layer', () => checkModel(withDense({})))
  test('with groups of experts', () =>
    checkModel(withRouter({ numGroups: 8, topGroups: 4, groupScoreTop: 2 })))
  test('with softmax after the selection', () =>
    checkModel(withRouter({ scoreFunction: 'softmax', softmaxOrder: 'afterTopK' })))
  test('with a letter that its pattern leaves out', () => checkModel(model({ pattern: 'MEME' })))
})

describe('a model is refused, with what it says and what it contradicts', () => {
  const cases: [ModelConfig, string][] = [
    [nothing, 'the config must be an object, got null'],
    ['nano' as unknown as ModelConfig, 'the config must be an object, got "nano"'],
    [model({ mpt: ['*E'] }), 'the config must have only the fields of its kind, got "mpt"'],
    [model({ name: 3 }), 'name must be a string, got 3'],
    [model({ hiddenSize: -2688 }), 'hiddenSize must be a whole number from 1 to 1048576, got -2688'],
    [model({ hiddenSize: '2688' }), 'hiddenSize must be a whole number from 1 to 1048576, got "2688"'],
    [model({ vocabSize: 1e9 }), 'vocabSize must be a whole number from 1 to 16777216, got 1000000000'],
    [model({ tiedEmbeddings: 'no' }), 'tiedEmbeddings must be true or false, got "no"'],
    [model({ layers: undefined }), 'layers must be an object, got undefined'],
    [model({ layers: {} }), 'number of letters in layers must be a whole number from 1 to 64, got 0'],
    [model({ layers: { ME: [] } }), 'keys of layers must be single letters, got "ME"'],
    [model({ layers: { M: 'mamba2' } }), 'layers.M must be an array, got "mamba2"'],
    [model({ layers: { M: [] } }), 'layers.M.length must be a whole number from 1 to 16, got 0'],
    [model({ layers: { M: [null] } }), 'layers.M[0] must be an object, got null'],
    [
      model({ layers: { M: new Array(1e9) } }),
      'layers.M.length must be a whole number from 1 to 16, got 1000000000',
    ],
    [model({ layers: { M: new Array(3) } }), 'layers.M[0] must be an object, got undefined'],
    [
      withSublayer('M', { kind: 'constructor' }),
      'layers.M[0].kind must be one of mamba2, attention, mlp, moe',
    ],
    [model({ pattern: 52 }), 'pattern must be a string, got 52'],
    [model({ pattern: '' }), 'pattern.length must be a whole number from 1 to 4096, got 0'],
    [
      model({ pattern: 'M'.repeat(5e8) }),
      'pattern.length must be a whole number from 1 to 4096, got 500000000',
    ],
    [model({ pattern: 'MEMO' }), `pattern: letter 4 must be one that layers defines, of 'ME*', got "O"`],
    [model({ pattern: 'M😀' }), `pattern: letter 2 must be one that layers defines, of 'ME*', got "😀"`],
    [model({ mtp: '*E' }), 'mtp must be an array, got "*E"'],
    [model({ mtp: ['*E', '*X'] }), `mtp[1]: letter 2 must be one that layers defines, of 'ME*', got "X"`],
    [model({ mtp: new Array(1) }), 'mtp[0] must be a string, got undefined'],
    [withSublayer('M', { numGroups: 5 }), 'layers.M[0].numHeads must be a multiple of numGroups = 5, got 64'],
    [
      withSublayer('M', { stateSize: 1.5 }),
      'layers.M[0].stateSize must be a whole number from 1 to 1048576, got 1.5',
    ],
    [withSublayer('M', { expand: 2 }), 'layers.M[0] must have only the fields of its kind, got "expand"'],
    [
      withSublayer('*', { numKeyValueHeads: 3 }),
      'layers.*[0].numHeads must be a multiple of numKeyValueHeads = 3, got 32',
    ],
    [
      withSublayer('*', { headDim: Infinity }),
      'layers.*[0].headDim must be a whole number from 1 to 1048576, got Inf',
    ],
    [withSublayer('*', { bias: true }), 'layers.*[0] must have only the fields of its kind, got "bias"'],
    [withDense({ width: 0 }), 'layers.D[0].width must be a whole number from 1 to 1048576, got 0'],
    [
      withDense({ activation: 'tanh' }),
      'layers.D[0].activation must be one of relu2, silu, gelu, relu, swigluoai, situ, got "tanh"',
    ],
    [withDense({ gated: undefined }), 'layers.D[0].gated must be true or false, got undefined'],
    [withDense({ deep }), 'layers.D[0] must have only the fields of its kind, got "deep"'],
    [
      withSublayer('E', { expertWidth: Number.NaN }),
      'expertWidth must be a whole number from 1 to 1048576, got NaN',
    ],
    [withSublayer('E', { correctionBias: 128 }), 'layers.E[0].correctionBias must be true or false, got 128'],
    [
      withSublayer('E', { latentWidth: 0 }),
      'layers.E[0].latentWidth must be a whole number from 1 to 1048576, got 0',
    ],
    [
      withSublayer('E', { sharedExperts: -1 }),
      'sharedExperts must be a whole number from 0 to 1048576, got -1',
    ],
    [
      withSublayer('E', { sharedExperts: 0 }),
      'sharedExpertWidth must be 0 with no shared experts and only then; sharedExperts = 0, got 1856',
    ],
    [withSublayer('E', { sharedExpertWidth: 0 }), 'only then; sharedExperts = 2, got 0'],
    [
      withSublayer('E', { latentwidth: 64 }),
      'layers.E[0] must have only the fields of its kind, got "latentwidth"',
    ],
    [withSublayer('E', { router: null }), 'layers.E[0].router must be an object, got null'],
    [model({ postNorms: false }), 'postNorms must be one of left out, true, got false'],
    [model({ hyperConnections: 0 }), 'hyperConnections must be a whole number from 1 to 64, got 0'],
    [withOnly({ ...attention, window: -1 }), 'X[0].window must be a whole number from 1 to 1048576, got -1'],
    [withOnly({ ...attention, biases: 'all' }), 'X[0].biases must be one of left out, qkv, qkvo, got "all"'],
    [
      withOnly({ ...attention, qkNorm: true }),
      'X[0].qkNorm must be one of left out, perHead, fullWidth, got true',
    ],
    [withOnly({ ...attention, sinks: 8 }), 'X[0].sinks must be one of left out, true, got 8'],
    [withOnly({ ...attention, sharesKeyValues: 'yes' }), 'sharesKeyValues must be one of left out, true'],
    [
      withOnly({ ...attention, indexer: { numHeads: 0, headDim: 8 } }),
      'X[0].indexer.numHeads must be a whole number from 1 to 1048576, got 0',
    ],
    [
      withOnly({ ...attention, indexer: { numHeads: 4, headDim: 8, window: 2048 } }),
      'X[0].indexer must have only the fields of its kind, got "window"',
    ],
    [
      withOnly({ ...attention, indexer: { numHeads: 4, headDim: 8, topK: 0 } }),
      'X[0].indexer.topK must be a whole number from 1 to 1048576, got 0',
    ],
    [withOnly({ ...attention, indexer: 4 }), 'X[0].indexer must be an object, got 4'],
    [
      withOnly({ ...attention, kind: 'gatedAttention', numKeyValueHeads: 3 }),
      'X[0].numHeads must be a multiple of numKeyValueHeads = 3, got 8',
    ],
    [
      withOnly({ ...attention, kind: 'gatedAttention', window: 8 }),
      'X[0] must have only the fields of its kind, got "window"',
    ],
    [withOnly({ ...latent, queryRank: 0 }), 'X[0].queryRank must be a whole number from 1 to 1048576, got 0'],
    [withOnly({ ...latent, outputGate: 1 }), 'X[0].outputGate must be one of left out, true, got 1'],
    [withOnly({ ...compressed, outputGroups: 3 }), 'numHeads must be a multiple of outputGroups = 3, got 8'],
    [withOnly({ ...compressed, compressRatio: -4 }), 'compressRatio must be a whole number from 0 to'],
    [withOnly({ ...delta, numKeyHeads: 3 }), 'numValueHeads must be a multiple of numKeyHeads = 3, got 4'],
    [
      withOnly({ kind: 'lightningAttention', numHeads: 8, headDim: 16.5 }),
      'X[0].headDim must be a whole number from 1 to 1048576, got 16.5',
    ],
    [
      withOnly({
        kind: 'kimiDeltaAttention',
        numHeads: 8,
        headDim: 16,
        convKernel: 4,
        fullRankGate: 'full',
      }),
      'X[0].fullRankGate must be one of left out, true, got "full"',
    ],
    [
      withOnly({ kind: 'attentionExperts', numExperts: 4, topK: 5, numKeyValueHeads: 2, headDim: 8 }),
      'X[0].topK must be a whole number from 1 to 4, got 5',
    ],
    [
      withOnly({ kind: 'mamba1', innerSize: 64, stateSize: 16, timeStepRank: 0, convKernel: 4 }),
      'X[0].timeStepRank must be a whole number from 1 to 1048576, got 0',
    ],
    [withSublayer('E', { zeroExperts: 128 }), 'zeroExperts must be a whole number from 0 to 127, got 128'],
    [withSublayer('E', { sharedGate: false }), 'sharedGate must be one of left out, true, got false'],
    [withDense({ sharesNorm: false }), 'D[0].sharesNorm must be one of left out, true, got false'],
    [withRouter({ numExperts: 2 ** 21 }), 'numExperts must be a whole number from 1 to 1048576, got 2097152'],
    [withRouter({ topK: 129 }), 'layers.E[0].router.topK must be a whole number from 1 to 128, got 129'],
    [
      withRouter({ scoreFunction: 'tanh' }),
      'scoreFunction must be one of sigmoid, softmax, sqrtsoftplus, got "tanh"',
    ],
    [withRouter({ softmaxOrder: 'afterTopK' }), 'softmaxOrder must be one of beforeTopK, got "afterTopK"'],
    [withRouter({ normalize: 1 }), 'normalize must be true or false, got 1'],
    [withRouter({ scale: Infinity }), 'scale must be a finite float32 number, got Infinity'],
    [withRouter({ epsilon: -1 }), 'epsilon must be a finite number of at least 0, got -1'],
    [withRouter({ epsilon: '0' }), 'epsilon must be a finite number of at least 0, got "0"'],
    [withRouter({ epsilon: Infinity }), 'epsilon must be a finite number of at least 0, got Infinity'],
    [withRouter({ numGroups: 7 }), 'numExperts must be a multiple of numGroups = 7, got 128'],
    [withRouter({ numGroups: 8, topGroups: 9 }), 'topGroups must be a whole number from 1 to 8, got 9'],
    [withRouter({ numGroups: 64, topGroups: 2 }), 'router.topK must be a whole number from 1 to 4, got 6'],
    [withRouter({ groupScoreTop: 129 }), 'groupScoreTop must be a whole number from 1 to 128, got 129'],
    [withRouter({ numGroup: 8 }), 'layers.E[0].router must have only the fields of its kind, got "numGroup"'],
  ]
  test.each(cases.map(([bad, message]) => [message, bad] as const))('%s', (message, bad) => {
    const start = performance.now()
    expect(() => checkModel(bad)).toThrow(InputError)
    expect(() => checkModel(bad)).toThrow(message)
    expect(() => countParameters(bad)).toThrow(message)
    expect(() => routerOf(bad)).toThrow(message)
    expect(performance.now() - start).toBeLessThan(1000)
  })
})

describe('presets', () => {
  test('are found by name', () => expect(presets['nemotron-3-nano-30b-a3b']).toBe(nemotron3Nano))

  test('and whatever is defined like them cannot be changed', () => {
    const mine = defineModel(model({ name: 'mine', mtp: ['*E'] }))
    for (const fixed of [presets, ...Object.values(presets), mine]) {
      const pending: object[] = [fixed]
      for (const value of pending) {
        expect(value).toSatisfy(Object.isFrozen)
        pending.push(...Object.values(value).filter((part) => typeof part === 'object'))
      }
    }
    expect(() => defineModel(model({ pattern: 'X' }))).toThrow(InputError)
  })

  test('of Nemotron 3 Nano: 52 layers, 23 Mamba-2, 23 mixture-of-experts, 6 attention', () => {
    const letters = [...nemotron3Nano.pattern]
    const times = (letter: string): number => letters.filter((each) => each === letter).length
    expect([letters.length, times('M'), times('E'), times('*')]).toEqual([52, 23, 23, 6])
  })
})

describe('the router of a model', () => {
  test('is that of its layers, as a RouterConfig', () => {
    expect(routerOf(nemotron3Nano)).toEqual({
      numExperts: 128,
      topK: 6,
      scoreFunction: 'sigmoid',
      normalize: true,
      scale: 2.5,
      epsilon: 1e-20,
      numGroups: 1,
      topGroups: 1,
    })
  })

  const twoKinds = (fields: object): ModelConfig => {
    const { layers } = withRouter(fields)
    return model({ pattern: 'EF', layers: { ...nemotron3Nano.layers, F: layers.E } })
  }

  test('passes over layers that choose by token id', () => {
    const { layers } = withSublayer('E', { hashed: true })
    const mixed = model({ pattern: 'EF', layers: { ...withRouter({ topK: 8 }).layers, F: layers.E } })
    expect(routerOf(mixed).topK).toBe(8)
    expect(() => routerOf(model({ pattern: 'E', layers }))).toThrow('must have a mixture-of-experts layer')
  })

  test('is one where layers differ only elsewhere', () => expect(routerOf(twoKinds({})).topK).toBe(6))

  test('is refused where layers route differently or not at all', () => {
    expect(() => routerOf(twoKinds({ topK: 8 }))).toThrow('must route alike')
    expect(() => routerOf(twoKinds({ groupScoreTop: 2 }))).toThrow('must route alike')
    expect(() => routerOf(model({ pattern: 'MM*' }))).toThrow('must have a mixture-of-experts layer')
  })
})
