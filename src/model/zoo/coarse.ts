import { frozen } from '../frozen.js'
import type { PublishedModel } from './published.js'

/** Models of few, wide experts. What a record says is told in published.ts. */

export const mixtral8x7b: PublishedModel = /* @__PURE__ */ frozen({
  name: 'Mixtral-8x7B',
  config: {
    model_type: 'mixtral',
    hidden_size: 4096,
    intermediate_size: 14336,
    num_attention_heads: 32,
    num_experts_per_tok: 2,
    num_hidden_layers: 32,
    num_key_value_heads: 8,
    num_local_experts: 8,
    vocab_size: 32000,
  },
  source: 'config.json of mistralai/Mixtral-8x7B-v0.1',
  publishedIn: 'the blog post of its release; its model card',
  total: { billions: 46.7, step: 0.1, verdict: 'rounds', as: ['total'] },
  active: { billions: 12.9, step: 0.1, verdict: 'rounds', as: ['withEmbedding'] },
  exact: { total: 46702792704, sum: 'total' },
})

export const phi3_5Moe: PublishedModel = /* @__PURE__ */ frozen({
  name: 'Phi-3.5-MoE',
  config: {
    model_type: 'phimoe',
    hidden_size: 4096,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    intermediate_size: 6400,
    num_local_experts: 16,
    num_experts_per_tok: 2,
    attention_bias: true,
    lm_head_bias: true,
    vocab_size: 32064,
  },
  source: 'config.json of microsoft/Phi-3.5-MoE-instruct',
  publishedIn: 'the Phi-3 report (active); model card (total)',
  total: { billions: 41.9, step: 0.1, verdict: 'rounds', as: ['total'] },
  active: { billions: 6.6, step: 0.1, verdict: 'rounds', as: ['withEmbedding'] },
  note: 'Its router is SparseMixer, which has no top-k of scores: here, a softmax router stands in for it.',
})

export const llama4Scout17b16e: PublishedModel = /* @__PURE__ */ frozen({
  name: 'Llama 4 Scout 17B-16E (text)',
  config: {
    model_type: 'llama4_text',
    attention_chunk_size: 8192,
    hidden_size: 5120,
    intermediate_size: 8192,
    num_attention_heads: 40,
    num_experts_per_tok: 1,
    num_hidden_layers: 48,
    num_key_value_heads: 8,
    num_local_experts: 16,
    vocab_size: 202048,
  },
  source: 'text_config in config.json of meta-llama/Llama-4-Scout-17B-16E-Instruct',
  publishedIn: 'the blog post llama4-release of Hugging Face',
  total: {
    billions: 109,
    step: 1,
    verdict: 'differs',
    as: [],
    why: '109B counts the vision tower too: 108.64B in the checkpoint',
  },
  active: { billions: 17, step: 1, verdict: 'rounds', as: ['withEmbedding'] },
  exact: { total: 108641793536, sum: 'total+extra' },
  note: 'The exact total counts the vision tower and the projector.',
})

export const dbrx: PublishedModel = /* @__PURE__ */ frozen({
  name: 'DBRX',
  config: {
    model_type: 'dbrx',
    d_model: 6144,
    n_heads: 48,
    n_layers: 40,
    attn_config: { kv_n_heads: 8 },
    ffn_config: { ffn_hidden_size: 10752, moe_num_experts: 16, moe_top_k: 4 },
    vocab_size: 100352,
  },
  source: 'model/config.json of databricks/dbrx',
  publishedIn: 'README of databricks/dbrx',
  total: { billions: 132, step: 1, verdict: 'rounds', as: ['total'] },
  active: { billions: 36, step: 1, verdict: 'rounds', as: ['withHead', 'withEmbedding'] },
})

export const grok1: PublishedModel = /* @__PURE__ */ frozen({
  name: 'Grok-1',
  config: {
    model_type: 'grok-1',
    emb_size: 6144,
    num_layers: 64,
    num_q_heads: 48,
    num_kv_heads: 8,
    widening_factor: 8,
    num_experts: 8,
    num_selected_experts: 2,
    vocab_size: 131072,
  },
  source: 'run.py of xai-org/grok-1; it has no config.json',
  publishedIn: 'README of xai-org/grok-1',
  total: {
    billions: 314,
    step: 1,
    verdict: 'truncates',
    as: ['totalNonEmbedding'],
    why: '314B is ours without the embedding, truncated',
  },
  note: 'Its makers say that 25 % of the weights are active: 83.8B, 26.5 %.',
})

export const arctic: PublishedModel = /* @__PURE__ */ frozen({
  name: 'Snowflake Arctic',
  config: {
    model_type: 'arctic',
    hidden_size: 7168,
    num_hidden_layers: 35,
    num_attention_heads: 56,
    num_key_value_heads: 8,
    intermediate_size: 4864,
    num_local_experts: 128,
    num_experts_per_tok: 2,
    vocab_size: 32000,
  },
  source: 'config.json of Snowflake/snowflake-arctic-instruct',
  publishedIn: 'README of Snowflake-Labs/snowflake-arctic',
  total: { billions: 480, step: 10, verdict: 'rounds', as: ['total', 'totalNonEmbedding'] },
  active: { billions: 17, step: 1, verdict: 'rounds', as: ['backbone', 'withHead', 'withEmbedding'] },
})

export const hunyuanLarge: PublishedModel = /* @__PURE__ */ frozen({
  name: 'Hunyuan-Large (A52B)',
  config: {
    model_type: 'hunyuan',
    hidden_size: 6400,
    num_hidden_layers: 64,
    num_attention_heads: 80,
    num_key_value_heads: 8,
    intermediate_size: 18304,
    num_experts: 16,
    moe_topk: 1,
    num_shared_expert: 1,
    use_cla: true,
    cla_share_factor: 2,
    vocab_size: 129024,
    tie_word_embeddings: true,
  },
  source: 'Hunyuan-A52B-Instruct/config.json of tencent/Tencent-Hunyuan-Large',
  publishedIn: 'README of Tencent/Tencent-Hunyuan-Large',
  total: { billions: 389, step: 1, verdict: 'rounds', as: ['total'] },
  active: {
    billions: 52,
    step: 1,
    verdict: 'differs',
    as: [],
    why: '51.32B with the tied table once; 52.15B if embedding and head count separately',
  },
  note: 'Vocabulary of the instruct model; that of the pretrained one is 128,512.',
})

export const skyworkMoe: PublishedModel = /* @__PURE__ */ frozen({
  name: 'Skywork-MoE',
  config: {
    model_type: 'skywork_moe',
    hidden_size: 4608,
    num_hidden_layers: 52,
    num_attention_heads: 36,
    intermediate_size: 12288,
    num_local_experts: 16,
    num_experts_per_tok: 2,
    vocab_size: 65532,
  },
  source: 'config.json of Skywork/Skywork-MoE-Base; top-2 from its README',
  publishedIn: 'README of SkyworkAI/Skywork-MoE',
  total: { billions: 146, step: 1, verdict: 'rounds', as: ['total', 'totalNonEmbedding'] },
  active: { billions: 22, step: 1, verdict: 'rounds', as: ['backbone', 'withHead'] },
  note: 'Its gate normalizes the logits before the softmax, which is left out here.',
})

export const jetmoe8b: PublishedModel = /* @__PURE__ */ frozen({
  name: 'JetMoE-8B',
  config: {
    model_type: 'jetmoe',
    hidden_size: 2048,
    num_hidden_layers: 24,
    num_key_value_heads: 16,
    kv_channels: 128,
    intermediate_size: 5632,
    num_local_experts: 8,
    num_experts_per_tok: 2,
    vocab_size: 32000,
    tie_word_embeddings: true,
  },
  source: 'configuration of myshell-ai/JetMoE, with the 24 layers of its checkpoint',
  publishedIn: 'README of myshell-ai/JetMoE',
  total: { billions: 8.5, step: 0.1, verdict: 'rounds', as: ['total', 'totalNonEmbedding'] },
  active: {
    billions: 2.2,
    step: 0.1,
    verdict: 'truncates',
    as: ['backbone'],
    why: '2.2B is the backbone, truncated',
  },
  note: 'The third vector of a layer is the bias of its experts, counted as a norm.',
})
