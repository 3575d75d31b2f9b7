import { demandNothingElse } from '../../errors.js'
import { demandMultiple, demandOneOf, demandSizes } from '../demands.js'
import { always, type Kind, type OperationsOf } from './kind.js'

/** Gated DeltaNet: a state [keys, values] for each head that a delta rule with decay updates (Qwen3-Next, Qwen3.5). */
export interface GatedDeltaNet {
  readonly kind: 'gatedDeltaNet'
  readonly numKeyHeads: number
  readonly keyHeadDim: number
  readonly numValueHeads: number
  readonly valueHeadDim: number
  /** Width of the short convolution over time, which has no bias. */
  readonly convKernel: number
}

export const gatedDeltaNet: Kind<Omit<GatedDeltaNet, 'kind'>> = {
  check(at, { numKeyHeads, keyHeadDim, numValueHeads, valueHeadDim, convKernel, ...rest }) {
    demandNothingElse(at, rest)
    demandSizes(at, { numKeyHeads, keyHeadDim, numValueHeads, valueHeadDim, convKernel })
    demandMultiple(`${at}.numValueHeads`, numValueHeads, 'numKeyHeads', numKeyHeads)
  },

  /**
   * Queries, keys, values and an output gate from D, a rate and a decay for each value head from D, convolution over the
   * first three, two vectors [value heads], norm [valueHeadDim], out. Source: Qwen3NextGatedDeltaNet of Hugging Face
   * transformers; the total of Qwen3-Next confirms it.
   */
  count({ numKeyHeads, keyHeadDim, numValueHeads, valueHeadDim, convKernel }, hiddenSize) {
    const [keys, values] = [numKeyHeads * keyHeadDim, numValueHeads * valueHeadDim]
    const matrices = hiddenSize * (2 * keys + 3 * values + 2 * numValueHeads)
    const small = (2 * keys + values) * convKernel + 2 * numValueHeads + valueHeadDim
    return { linearAttention: always(matrices + small) }
  },
}

/** 7 for each number of the state: decay 1, what the key recalls 2, the correction by key and error 2, readout 2. */
export const gatedDeltaNetOperations: OperationsOf<GatedDeltaNet> = ({
  numValueHeads,
  keyHeadDim,
  valueHeadDim,
}) => ({
  state: 7 * numValueHeads * keyHeadDim * valueHeadDim,
})

/** Lightning attention: a state [headDim, headDim] for each head with a fixed decay, behind a norm and an output gate. */
export interface LightningAttention {
  readonly kind: 'lightningAttention'
  readonly numHeads: number
  readonly headDim: number
}

export const lightningAttention: Kind<Omit<LightningAttention, 'kind'>> = {
  check(at, { numHeads, headDim, ...rest }) {
    demandNothingElse(at, rest)
    demandSizes(at, { numHeads, headDim })
  },

  /** Source: MiniMaxLightningAttention of Hugging Face transformers; the total of MiniMax-Text-01 confirms it. */
  count({ numHeads, headDim }, hiddenSize) {
    const width = numHeads * headDim
    return { linearAttention: always(width * (5 * hiddenSize + 1)) }
  },
}

/** 5 for each number of the state: decay 1, product of key and value 2, readout 2. */
export const lightningAttentionOperations: OperationsOf<LightningAttention> = ({ numHeads, headDim }) => ({
  state: 5 * numHeads * headDim * headDim,
})

/** Kimi delta attention: a delta rule whose decay differs for each channel of a key. */
export interface KimiDeltaAttention {
  readonly kind: 'kimiDeltaAttention'
  readonly numHeads: number
  readonly headDim: number
  /** Width of the three short convolutions over time, which have no bias. */
  readonly convKernel: number
  /** The output gate is one matrix [D, numHeads · headDim] (Kimi-K3); by way of headDim unless given. */
  readonly fullRankGate?: true
}

export const kimiDeltaAttention: Kind<Omit<KimiDeltaAttention, 'kind'>> = {
  check(at, { numHeads, headDim, convKernel, fullRankGate, ...rest }) {
    demandNothingElse(at, rest)
    demandSizes(at, { numHeads, headDim, convKernel })
    demandOneOf(`${at}.fullRankGate`, fullRankGate, [undefined, true])
  },

  /**
   * Queries, keys and values with a convolution each, decay by way of headDim with a bias, a rate for each head, output
   * gate, norm [headDim], out. Source: KimiDeltaAttention of the checkpoint's own modelling code.
   */
  count({ numHeads, headDim, convKernel, fullRankGate }, hiddenSize) {
    const width = numHeads * headDim
    const lowRank = hiddenSize * headDim + headDim * width
    const decay = lowRank + width + numHeads
    const gate = fullRankGate ? hiddenSize * width : lowRank
    const projections = 4 * hiddenSize * width + 3 * width * convKernel + hiddenSize * numHeads
    return { linearAttention: always(projections + decay + gate + headDim) }
  },
}

/** 7 for each number of the state, as of Gated DeltaNet. */
export const kimiDeltaAttentionOperations: OperationsOf<KimiDeltaAttention> = ({ numHeads, headDim }) => ({
  state: 7 * numHeads * headDim * headDim,
})
