import { demand } from '../errors.js'
import { checkModel } from './check.js'
import { type ModelConfig, sublayersOf } from './config.js'
import { always, type PartCount, type Parts } from './kinds/kind.js'
import { kindOf } from './kinds/kinds.js'

export type { PartCount }

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

/**
 * Counts parameters to the unit.
 *
 * Parts: `mamba`, `attention`, `linearAttention`, `compressor` and `indexer` (of sparse attention), `attentionExperts`,
 * `attentionOther`, `denseMlp`, `routedExperts`, `sharedExperts` (and their gate), `latentProj`, `router`, `routerBias`,
 * `norms`, `hyperConnections`, `attnRes`, `embedding`, `lmHead` (and its bias). Only of routed experts, and of experts of
 * attention, does a token read less than is stored: K of E.
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
  const head = always(vocabSize * (hiddenSize + (model.headBias ? 1 : 0)))
  // A tied head reuses the table: it is one part, and all that is left of a head is its bias.
  const tied = model.headBias ? { lmHead: always(vocabSize) } : {}
  const parts = { ...backbone, embedding: table, ...(tiedEmbeddings ? tied : { lmHead: head }) }
  const total = sum(parts, 'total')
  const mtp = blocks.reduce((before, block) => before + mtpBlock(model, block), 0)
  // Rounding never turns a sum or product beyond 2^53 into one below it, so this one check vouches for every figure.
  demand(
    Number.isSafeInteger(total + mtp),
    'countParameters: a model must have fewer than 2^53 parameters',
    total + mtp,
    'Past that, counts are no longer exact.',
  )
  const active = sum(backbone, 'active')
  const withEmbedding = sum(parts, 'active')
  return { total, active: { backbone: active, withHead: active + head.active, withEmbedding }, mtp, parts }
}

/** A stack of layers: its sublayers, the norm [D] of each, one after the last, and what connects them. */
function stackParts(model: ModelConfig, pattern: string): Parts {
  const { hiddenSize, hyperConnections: streams } = model
  const parts: Record<string, PartCount> = {}
  const add = (more: Parts): void => {
    for (const [name, { total, active }] of Object.entries(more)) {
      const before = parts[name] ?? { total: 0, active: 0 }
      if (total > 0) parts[name] = { total: before.total + total, active: before.active + active }
    }
  }
  const sublayers = sublayersOf(model, pattern)
  for (const sublayer of sublayers) add(kindOf(sublayer).count(sublayer, hiddenSize))
  const normed = sublayers.filter((sublayer) => !('sharesNorm' in sublayer)).length
  const norms = normed * (model.postNorms ? 2 : 1) + 1
  add({
    norms: always(norms * hiddenSize * (model.normBiases ? 2 : 1)),
    hyperConnections: always(streams === undefined ? 0 : mixing(streams, normed, hiddenSize)),
    attnRes: always(model.attentionResiduals ? 2 * hiddenSize * (normed + 1) : 0),
  })
  return parts
}

/**
 * Manifold-constrained hyper-connections of s streams: each sublayer derives s weights to read with, s to write with and
 * [s, s] to mix with from all streams, [s · D, s(2 + s)] with biases and three scales; the end derives s to read with.
 * Source: the tensors of DeepSeek-V4-Flash, whose total confirms the shapes.
 */
const mixing = (streams: number, sublayers: number, hiddenSize: number): number =>
  sublayers * (streams * (2 + streams) * (streams * hiddenSize + 1) + 3) +
  streams * (streams * hiddenSize + 1) +
  1

/** A stack of its own, behind a norm for the embedding, one for the hidden state, and the projection [2D, D] of both. */
const mtpBlock = (model: ModelConfig, pattern: string): number =>
  sum(stackParts(model, pattern), 'total') + 2 * model.hiddenSize + 2 * model.hiddenSize * model.hiddenSize

const sum = (parts: Parts, of: keyof PartCount): number =>
  Object.values(parts).reduce((before, part) => before + part[of], 0)
