import { demand } from '../errors.js'
import { checkModel } from './check.js'
import { type ModelConfig, type Sublayer, sublayersOf } from './config.js'

/** Parameters that are stored, and those of them that one token reads. */
export interface PartCount {
  readonly total: number
  readonly active: number
}

export interface ParameterCount {
  /** Every stored parameter of the text model; embedding and head once where they are tied; MTP blocks excluded. */
  readonly total: number
  /**
   * Per token, under the three conventions in use: without the embedding and the head, with the head, with both.
   * Nemotron 3 Nano's "A3B" counts the head and not the embedding. Tied, the last two are one and the same.
   */
  readonly active: { readonly backbone: number; readonly withHead: number; readonly withEmbedding: number }
  /** Stored multi-token-prediction blocks, 0 if none; they share the embedding and the head. */
  readonly mtp: number
  /** Sums to `total` and to `active.withEmbedding`; a part that the model lacks is absent. */
  readonly parts: Readonly<Record<string, PartCount>>
}

type Parts = Record<string, PartCount>

/**
 * Counts parameters to the unit.
 *
 * Parts: `mamba`, `attention`, `denseMlp`, `routedExperts`, `sharedExperts`, `latentProj`, `router`, `routerBias`,
 * `norms`, `embedding`, `lmHead`. Only of the routed experts does a token read less than is stored: K of E.
 *
 * The correction biases count, as stored and as active: a token's selection reads all E of them. For Nemotron 3 Nano
 * that is 23 · 128 = 2,944, the difference between its active backbone of 2,875,433,280 and 2,875,430,336, and between
 * 31,577,940,288 stored (llama.cpp) and 31,577,937,344 (the total of its safetensors, which leaves them out).
 *
 * Throws an InputError on a model that contradicts itself, or has 2^53 parameters or more.
 */
export function countParameters(model: ModelConfig): ParameterCount {
  checkModel(model)
  const { hiddenSize, vocabSize, tiedEmbeddings, mtp: blocks = [] } = model
  const backbone = stackParts(model, model.pattern)
  const table = always(vocabSize * hiddenSize)
  const parts = { ...backbone, embedding: table, ...(tiedEmbeddings ? {} : { lmHead: table }) }
  const total = sum(parts, 'total')
  const mtp = blocks.reduce((before, block) => before + mtpBlock(model, block), 0)
  // Rounding never turns a sum or product beyond 2^53 into one below it, so this one check vouches for every figure.
  demand(
    Number.isSafeInteger(total + mtp),
    'countParameters: a model must have fewer than 2^53 parameters',
    total + mtp,
    'Check its sizes: past that, counts are no longer exact.',
  )
  const active = sum(backbone, 'active')
  const withEmbedding = sum(parts, 'active')
  return { total, active: { backbone: active, withHead: active + table.active, withEmbedding }, mtp, parts }
}

/** A stack of layers: its sublayers, an RMSNorm [D] before each and one after the last. */
function stackParts(model: ModelConfig, pattern: string): Parts {
  const { hiddenSize } = model
  const parts: Parts = {}
  const add = (more: Parts): void => {
    for (const [name, { total, active }] of Object.entries(more)) {
      const before = parts[name] ?? { total: 0, active: 0 }
      if (total > 0) parts[name] = { total: before.total + total, active: before.active + active }
    }
  }
  const sublayers = sublayersOf(model, pattern)
  for (const sublayer of sublayers) {
    const count = counts[sublayer.kind] as (sublayer: Sublayer, hiddenSize: number) => Parts
    add(count(sublayer, hiddenSize))
  }
  add({ norms: always((sublayers.length + 1) * hiddenSize) })
  return parts
}

/** A stack of its own, behind a norm for the embedding, one for the hidden state, and the projection [2D, D] of both. */
const mtpBlock = (model: ModelConfig, pattern: string): number =>
  sum(stackParts(model, pattern), 'total') + 2 * model.hiddenSize + 2 * model.hiddenSize * model.hiddenSize

/** The weights of each kind of sublayer, without the norm before it, whose width is D = `hiddenSize`. */
const counts: {
  [K in Sublayer['kind']]: (sublayer: Extract<Sublayer, { kind: K }>, hiddenSize: number) => Parts
} = {
  /**
   * Projection in [D, 2I + 2GN + H], convolution and its bias (I + 2GN) · (kernel + 1), three vectors [H] (decay, skip,
   * time step), gated norm [I], projection out [I, D]; I = H · headDim for H heads, G groups and state size N. Source:
   * NemotronHMamba2Mixer of Hugging Face transformers; the totals of Nemotron 3 Nano and Super confirm it.
   */
  mamba2({ numHeads, headDim, stateSize, numGroups, convKernel }, hiddenSize) {
    const inner = numHeads * headDim
    const convolved = inner + 2 * numGroups * stateSize
    const projections = hiddenSize * (inner + convolved + numHeads) + inner * hiddenSize
    return { mamba: always(projections + convolved * (convKernel + 1) + 3 * numHeads + inner) }
  },

  /** Queries and output D · numHeads · headDim each, keys and values D · numKeyValueHeads · headDim each. */
  attention({ numHeads, numKeyValueHeads, headDim }, hiddenSize) {
    return { attention: always(2 * hiddenSize * headDim * (numHeads + numKeyValueHeads)) }
  },

  mlp({ width, gated }, hiddenSize) {
    return { denseMlp: always(feedForward(gated, hiddenSize, width)) }
  },

  /**
   * E experts of width F on D, or on the latent width l behind two projections of D · l; shared experts and router
   * [D, E] on D. Source: NemotronHMOE of Hugging Face transformers; arXiv 2512.20856 for LatentMoE.
   */
  moe(
    { router, correctionBias, expertWidth, sharedExperts, sharedExpertWidth, latentWidth, gated },
    hiddenSize,
  ) {
    const { numExperts, topK } = router
    const expert = feedForward(gated, latentWidth ?? hiddenSize, expertWidth)
    return {
      routedExperts: { total: numExperts * expert, active: topK * expert },
      sharedExperts: always(sharedExperts * feedForward(gated, hiddenSize, sharedExpertWidth)),
      latentProj: always(2 * hiddenSize * (latentWidth ?? 0)),
      router: always(hiddenSize * numExperts),
      routerBias: always(correctionBias ? numExperts : 0),
    }
  },
}

const feedForward = (gated: boolean, outer: number, width: number): number => (gated ? 3 : 2) * outer * width

/** What every token reads whole. */
const always = (count: number): PartCount => ({ total: count, active: count })

const sum = (parts: Parts, of: keyof PartCount): number =>
  Object.values(parts).reduce((before, part) => before + part[of], 0)
