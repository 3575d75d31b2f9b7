import { type Attention, attention, type GatedAttention, gatedAttention } from './attention.js'
import { type AttentionExperts, attentionExperts } from './attention-experts.js'
import { type DenseMlp, mlp } from './feed-forward.js'
import type { Kind } from './kind.js'
import {
  type CompressedAttention,
  compressedAttention,
  type LatentAttention,
  latentAttention,
} from './latent-attention.js'
import {
  type GatedDeltaNet,
  gatedDeltaNet,
  type KimiDeltaAttention,
  kimiDeltaAttention,
  type LightningAttention,
  lightningAttention,
} from './linear-attention.js'
import { type Mamba1, type Mamba2, mamba1, mamba2 } from './mamba.js'
import { type MixtureOfExperts, moe } from './moe.js'

export type * from './attention.js'
export type * from './attention-experts.js'
export type * from './feed-forward.js'
export type * from './latent-attention.js'
export type * from './linear-attention.js'
export type * from './mamba.js'
export type * from './moe.js'

/** One thing that a layer does to the residual stream. A further kind is an interface here, an entry below, and one in ./operations.ts if it computes beside its weights. */
export type Sublayer =
  | Mamba2
  | Attention
  | DenseMlp
  | MixtureOfExperts
  | Mamba1
  | GatedAttention
  | LatentAttention
  | CompressedAttention
  | AttentionExperts
  | GatedDeltaNet
  | LightningAttention
  | KimiDeltaAttention

export const kinds: { readonly [K in Sublayer['kind']]: Kind<Omit<Extract<Sublayer, { kind: K }>, 'kind'>> } =
  {
    mamba2,
    attention,
    mlp,
    moe,
    mamba1,
    gatedAttention,
    latentAttention,
    compressedAttention,
    attentionExperts,
    gatedDeltaNet,
    lightningAttention,
    kimiDeltaAttention,
  }

/** What is known of the kind of this sublayer; call its functions with the sublayer's own fields. */
export const kindOf = (sublayer: Sublayer): Kind<object> => kinds[sublayer.kind] as Kind<object>
