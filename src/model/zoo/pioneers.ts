import { frozen } from '../frozen.js'
import type { PublishedModel } from './published.js'

/** Models of 2021, which have no config.json of this form. What a record says is told in published.ts. */

export const switchC: PublishedModel = /* @__PURE__ */ frozen({
  name: 'Switch-C',
  config: {
    model_type: 'switch-c',
    d_model: 2080,
    num_layers: 15,
    num_decoder_layers: 15,
    num_heads: 32,
    d_kv: 64,
    d_ff: 6144,
    num_experts: 2048,
    num_experts_per_tok: 1,
    vocab_size: 32128,
  },
  source: 'arXiv 2101.03961, table of model sizes, as remembered; the published total confirms it',
  publishedIn: 'arXiv 2101.03961',
  total: { billions: 1571, step: 1, verdict: 'rounds', as: ['total', 'totalNonEmbedding'] },
  note: 'Encoder and decoder in one stack: a token of the input meets only the first half. Relative positions and the last norm of the encoder are left out.',
})

export const glam64b64e: PublishedModel = /* @__PURE__ */ frozen({
  name: 'GLaM 64B/64E',
  config: {
    model_type: 'glam',
    hidden_size: 8192,
    num_hidden_layers: 64,
    num_attention_heads: 128,
    head_dim: 128,
    intermediate_size: 32768,
    num_experts: 64,
    num_experts_per_tok: 2,
    vocab_size: 256000,
  },
  source: 'arXiv 2112.06905, table of model sizes, as remembered; both published figures confirm it',
  publishedIn: 'arXiv 2112.06905',
  total: { billions: 1200, step: 100, verdict: 'rounds', as: ['total', 'totalNonEmbedding'] },
  active: { billions: 96.6, step: 0.1, verdict: 'rounds', as: ['withHead', 'withEmbedding'] },
  note: 'Relative positions are left out. A dense layer with a gated MLP and a layer of ungated experts take turns.',
})
