import type { Sublayer } from '../kinds/kinds.js'
import { heads, indexer, qkNorm } from './attention-fields.js'
import { chosen, correctionBias, feedForward, routerFrom, sharedExperts, widthOf } from './expert-fields.js'
import { flag, flagIf, given, oneOf, onlyWith, type Source, size, sizeIf, stated } from './fields.js'

/** How each kind of sublayer is read from a config, whatever the type of the model. */
export const readers: {
  readonly [K in Sublayer['kind']]: (source: Source) => Extract<Sublayer, { kind: K }>
} = {
  mamba2(source) {
    onlyWith(source, 'convBias', true)
    onlyWith(source, 'mambaBias', false)
    return {
      kind: 'mamba2',
      numHeads: size(source, 'stateHeads'),
      headDim: size(source, 'stateHeadDim'),
      stateSize: size(source, 'stateSize'),
      numGroups: size(source, 'stateGroups', 1),
      convKernel: size(source, 'convKernel'),
    }
  },

  mamba1(source) {
    onlyWith(source, 'convBias', true)
    onlyWith(source, 'mambaBias', false)
    const width = size(source, 'hiddenSize')
    const rank = stated(source, 'timeStepRank')?.value ?? 'auto'
    return {
      kind: 'mamba1',
      innerSize: size(source, 'stateExpand', 2) * width,
      stateSize: size(source, 'stateSize'),
      timeStepRank: rank === 'auto' ? Math.ceil(width / 16) : size(source, 'timeStepRank'),
      convKernel: size(source, 'convKernel'),
    }
  },

  attention(source) {
    const { numHeads, numKeyValueHeads, headDim } = heads(source)
    const valueDim = sizeIf(source, 'valueDim')
    const biased = flag(source, 'attentionBias')
    return {
      kind: 'attention',
      numHeads,
      numKeyValueHeads,
      headDim,
      ...given({
        valueHeadDim: valueDim === headDim ? undefined : valueDim,
        biases: biased ? oneOf(source, 'biases', ['qkv', 'qkvo'], 'qkvo') : undefined,
        qkNorm: qkNorm(source),
        sinks: flagIf(source, 'sinks'),
        queryRank: sizeIf(source, 'queryRank'),
        sharesKeyValues: flagIf(source, 'sharesKeyValues'),
        indexer: indexer(source),
        window: flag(source, 'windowed') ? sizeIf(source, 'window') : undefined,
      }),
    }
  },

  gatedAttention(source) {
    onlyWith(source, 'attentionBias', false)
    return { kind: 'gatedAttention', ...heads(source) }
  },

  latentAttention(source) {
    onlyWith(source, 'attentionBias', false)
    return {
      kind: 'latentAttention',
      numHeads: size(source, 'heads'),
      keyValueRank: size(source, 'keyValueRank'),
      nopeHeadDim: size(source, 'nopeDim'),
      ropeHeadDim: size(source, 'ropeDim'),
      valueHeadDim: size(source, 'valueDim'),
      ...given({
        queryRank: sizeIf(source, 'queryRank'),
        outputGate: flagIf(source, 'outputGate'),
        indexer: indexer(source),
      }),
    }
  },

  compressedAttention(source) {
    const compressRatio = size(source, 'compressRatio', 0, 0)
    return {
      kind: 'compressedAttention',
      numHeads: size(source, 'heads'),
      headDim: size(source, 'headDim'),
      queryRank: size(source, 'queryRank'),
      outputRank: size(source, 'outputRank'),
      outputGroups: size(source, 'outputGroups'),
      compressRatio,
      // Coarse entries are few enough to attend to all of them.
      ...given({
        indexer: compressRatio === 4 ? indexer(source) : undefined,
        window: sizeIf(source, 'window'),
      }),
    }
  },

  attentionExperts(source) {
    return {
      kind: 'attentionExperts',
      ...chosen(source),
      numKeyValueHeads: size(source, 'keyValueHeads'),
      headDim: size(source, 'headDim'),
    }
  },

  gatedDeltaNet(source) {
    return {
      kind: 'gatedDeltaNet',
      numKeyHeads: size(source, 'linearKeyHeads'),
      keyHeadDim: size(source, 'linearKeyDim'),
      numValueHeads: size(source, 'linearValueHeads'),
      valueHeadDim: size(source, 'linearValueDim'),
      convKernel: size(source, 'convKernel'),
    }
  },

  lightningAttention(source) {
    const { numHeads, headDim } = heads(source)
    return { kind: 'lightningAttention', numHeads, headDim }
  },

  kimiDeltaAttention(source) {
    return {
      kind: 'kimiDeltaAttention',
      numHeads: size(source, 'linearHeads'),
      headDim: size(source, 'linearHeadDim'),
      convKernel: size(source, 'convKernel'),
      ...given({ fullRankGate: flagIf(source, 'fullRankGate') }),
    }
  },

  mlp: (source) => ({ kind: 'mlp', width: widthOf(source, 'denseWidth'), ...feedForward(source) }),

  moe(source) {
    return {
      kind: 'moe',
      router: routerFrom(source),
      correctionBias: correctionBias(source),
      expertWidth: widthOf(source, 'expertWidth'),
      ...sharedExperts(source),
      ...given({
        sharedGate: flagIf(source, 'sharedGate'),
        latentWidth: sizeIf(source, 'latentWidth'),
        latentNorm: flagIf(source, 'latentNorm'),
        routerBias: flagIf(source, 'routerBias'),
        expertBiases: flagIf(source, 'expertBiases'),
        outputBias: flagIf(source, 'outputBias'),
        zeroExperts: sizeIf(source, 'zeroExperts'),
        hashed: flagIf(source, 'hashed'),
      }),
      ...feedForward(source),
    }
  },
}
