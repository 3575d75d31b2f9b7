import type { ModelConfig, Sublayer } from '../config.js'

/**
 * The part of `countParameters` that a tensor of such a name belongs to, or what a checkpoint holds beside them: `mtp`,
 * blocks for multi-token prediction, and `mtpCopies`, their copies of embedding and head; `scales` of quantized weights;
 * `buffers`, which are computed or looked up and not learned; `otherModalities`; `unknown`. Names are those of Hugging
 * Face's checkpoints, with or without a prefix, and of GGUF.
 */
export function tensorPart(name: string, model: ModelConfig): string {
  if (scales.test(name)) return 'scales'
  if (buffers.test(name)) return 'buffers'
  if (otherModalities.test(name)) return 'otherModalities'
  const [, index, inside] = /(?:^|\.)(?:layers|layer|h|blocks|blk)\.(\d+)\.(.+)/s.exec(name) ?? []
  const tables = topPart(name)
  const beyond = Number(index) - model.pattern.length // stored blocks follow the last layer, told or not
  if (/(?:^|\.)mtp(?:\.|_)/.test(name) || (beyond >= 0 && beyond < Math.max(1, model.mtp?.length ?? 0))) {
    return tables === 'embedding' || tables === 'lmHead' ? 'mtpCopies' : 'mtp'
  }
  if (inside === undefined) return tables
  return beyond >= 0 ? 'unknown' : layerPart(inside, model.layers[model.pattern[Number(index)]])
}

/** Quantized weights have them beside, under the name of the weight; hyper-connections have learned ones of their own. */
const scales =
  /^(?!.*(?:^|[._])hc_).*(?:[._](?:scale|scales|scale_inv|scale_2|zero_point|zeros|absmax|quant_map)|\.(?:qzeros|g_idx|weight_shape)|\.SCB|quant_state\.[^.]+)$/

const buffers = /(?:inv_freq|rope_freqs\.weight|position_ids|masked_bias|tid2eid)$/

const otherModalities = /(?:^|\.)(?:visual|vision\w*|image\w*|audio\w*|multi_modal_projector|mm_\w+|v)\./

/** What belongs to no layer. */
function topPart(name: string): string {
  if (/(?:embed_tokens|embeddings?|wte|word_embeddings|embed|token_embd)\.weight$/.test(name))
    return 'embedding'
  if (/(?:^|\.)(?:lm_head|output|head|shared_head_head)\.(?:weight|bias)$/.test(name)) return 'lmHead'
  if (hyperConnections.test(name)) return 'hyperConnections'
  if (/attn_res/.test(name)) return 'attnRes'
  return /norm|(?:^|\.)ln_f/.test(name) ? 'norms' : 'unknown'
}

const hyperConnections = /(?:^|[._])hc_/

/** What each kind of sublayer calls its own weights. */
const partOfKind: { readonly [K in Sublayer['kind']]: string } = {
  mamba1: 'mamba',
  mamba2: 'mamba',
  attention: 'attention',
  gatedAttention: 'attention',
  latentAttention: 'attention',
  compressedAttention: 'attention',
  attentionExperts: 'attention',
  gatedDeltaNet: 'linearAttention',
  lightningAttention: 'linearAttention',
  kimiDeltaAttention: 'linearAttention',
  mlp: 'denseMlp',
  moe: 'routedExperts',
}

/** Rules in their order; the first whose pattern is in the name of a tensor inside a layer tells. */
const rules: readonly (readonly [pattern: RegExp, part: string])[] = [
  [/hc_/, 'hyperConnections'],
  [/attn_res/, 'attnRes'],
  [/indexer/, 'indexer'],
  [/compressor/, 'compressor'],
  [/^self_attention\.experts\.(?:router|bias)/, 'attentionOther'],
  [/^self_attention\.experts/, 'attentionExperts'],
  [/e_score_correction_bias|expert_bias|exp_probs_b/, 'routerBias'],
  [/shared_expert|share_expert|shared_mlp|shexp/, 'sharedExperts'],
  [/latent/, 'latentProj'],
  [/(?:^|\.)(?:gate|router|gate_inp|ffn_gate_inp)(?:\.(?:layer|classifier|wg))?\.weight$/, 'router'],
  [
    /experts|_exps|(?:block_sparse_moe|mlp)\.(?:in|out)put_linear|(?:^|\.)moe\.(?:up|gate|down)_proj/,
    'routedExperts',
  ],
]

const mixers = /(?:^|\.)(?:self_attn|self_attention|attention|attn|mixer|linear_attn|mamba)\.|^(?:attn|ssm)_/

function layerPart(inside: string, sublayers: readonly Sublayer[]): string {
  const bias = routerBias(inside, sublayers)
  if (bias !== undefined) return bias
  const rule = rules.find(([pattern]) => pattern.test(inside))
  if (rule !== undefined) return rule[1]
  const [mixer] = sublayers
  const isNorm = /norm|(?:^|\.)ln_/.test(inside)
  if (mixers.test(inside) && !/^(?:attn_norm|attn_post_norm|attention_norm)/.test(inside)) {
    const counted = mixer.kind === 'attention' && mixer.qkNorm !== undefined && isNorm
    return counted ? 'norms' : partOfKind[mixer.kind]
  }
  if (isNorm) return 'norms'
  return /mlp|feed_forward|ffn|(?:^|\.)w[123]\./.test(inside) ? 'denseMlp' : 'unknown'
}

/** `gate.bias` is part of the logits where the router has such a bias, and the correction bias of DeepSeek's own files. */
function routerBias(inside: string, sublayers: readonly Sublayer[]): string | undefined {
  if (/mlp\.bias$/.test(inside)) return 'norms' // the bias after the experts of JetMoE
  if (!/(?:gate|router|gate_inp)\.bias$/.test(inside)) return undefined
  return sublayers.some((layer) => layer.kind === 'moe' && layer.routerBias) ? 'router' : 'routerBias'
}
