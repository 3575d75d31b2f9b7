import { attentionOperations, gatedAttentionOperations } from './attention.js'
import { attentionExpertsOperations } from './attention-experts.js'
import type { Operations, OperationsOf } from './kind.js'
import type { Sublayer } from './kinds.js'
import { compressedAttentionOperations, latentAttentionOperations } from './latent-attention.js'
import {
  gatedDeltaNetOperations,
  kimiDeltaAttentionOperations,
  lightningAttentionOperations,
} from './linear-attention.js'
import { mamba1Operations, mamba2Operations } from './mamba.js'

/** Of the kinds that have operations beside their weights. */
const operations: { readonly [K in Sublayer['kind']]?: OperationsOf<Extract<Sublayer, { kind: K }>> } = {
  attention: attentionOperations,
  gatedAttention: gatedAttentionOperations,
  attentionExperts: attentionExpertsOperations,
  latentAttention: latentAttentionOperations,
  compressedAttention: compressedAttentionOperations,
  gatedDeltaNet: gatedDeltaNetOperations,
  lightningAttention: lightningAttentionOperations,
  kimiDeltaAttention: kimiDeltaAttentionOperations,
  mamba2: mamba2Operations,
  mamba1: mamba1Operations,
}

/** What a token costs in this sublayer beside its weights. */
export const operationsOf = (sublayer: Sublayer): Operations =>
  (operations[sublayer.kind] as OperationsOf<Sublayer> | undefined)?.(sublayer) ?? {}
