import type { Sublayer } from '../kinds/kinds.js'
import type { Field } from './aliases.js'
import type { Constants } from './fields.js'
import type { Rule } from './rules.js'

/** A sublayer, with what its config leaves unsaid; `renamed` reads a field under another's names. */
export type Part = { readonly kind: Sublayer['kind'] } & Constants & {
    readonly renamed?: { readonly [F in Field]?: Field }
  }

/** Sublayers that depend on the layer: by the label that the rule gives it. */
export interface Choice {
  readonly by: Rule
  readonly of: Readonly<Record<string, readonly Part[]>>
}

/** How models of one `model_type` are built, as plain data. Sizes come from the config; here stands what it leaves out. */
export interface ModelType {
  /** A layer, from first to last sublayer. */
  readonly layer: readonly (Part | Choice)[]
  /** What the config leaves unsaid of the whole model, the class's defaults among it. */
  readonly constants?: Constants
  /** The layer of a stored multi-token-prediction block; none are stored unless given. */
  readonly mtp?: readonly (Part | Choice)[]
}

/**
 * Every known `model_type`. Sources: the modelling code of Hugging Face transformers, or what stands beside the
 * checkpoint; xai-org/grok-1 model.py; the papers of Switch (arXiv 2101.03961) and GLaM (arXiv 2112.06905), whose models
 * have no config.json of this form. 'llama-moe' is what many models are: attention, SwiGLU experts, softmax router.
 */
export const modelTypes: Readonly<Record<string, ModelType>> = /* @__PURE__ */ table()

function table(): Record<string, ModelType> {
  const attention: Part = { kind: 'attention' }
  const normed: Part = { kind: 'attention', qkNorm: 'perHead' }
  const sliding: Part = { kind: 'attention', windowed: true }
  const latent: Part = { kind: 'latentAttention' }
  const compressed: Part = { kind: 'compressedAttention' }
  const mlp: Part = { kind: 'mlp' }

  const softmax: Part = { kind: 'moe', scoreFunction: 'softmax', normalize: true }
  const unnormalized: Part = { kind: 'moe', scoreFunction: 'softmax', normalize: false }
  const afterTopK: Part = { ...unnormalized, softmaxOrder: 'afterTopK' }
  const sigmoid: Part = { kind: 'moe', scoreFunction: 'sigmoid', normalize: true }
  const sqrtsoftplus: Part = { ...sigmoid, scoreFunction: 'sqrtsoftplus' }
  const biased: Part = { ...sigmoid, correctionBias: true }

  /** Dense layers where the config says so, and mixtures of experts elsewhere. */
  const feedForward = (moe: Part): Choice => ({ by: 'experts', of: { dense: [mlp], moe: [moe] } })
  const hybrid = (full: Part, other: Part): Choice => ({
    by: 'attention',
    of: { full: [full], other: [other] },
  })

  const deepseekV3: ModelType = {
    layer: [latent, feedForward(sigmoid)],
    mtp: [latent, sigmoid],
    constants: { topKMethod: 'noaux_tc' }, // the class has no other
  }
  const qwenNext: ModelType = {
    layer: [
      hybrid({ kind: 'gatedAttention' }, { kind: 'gatedDeltaNet' }),
      feedForward({ ...softmax, sharedGate: true }),
    ],
    mtp: [{ kind: 'gatedAttention' }, { ...softmax, sharedGate: true }],
    constants: { fullInterval: 4, mtpBlocks: 1 },
  }
  const nemotronLayer: Choice = {
    by: 'pattern',
    of: { M: [{ kind: 'mamba2' }], '*': [attention], E: [biased], '-': [mlp] },
  }
  const mixtral: ModelType = { layer: [attention, softmax] }

  return {
    arctic: {
      layer: [
        attention,
        {
          by: 'experts',
          of: { dense: [mlp], moe: [{ ...mlp, renamed: { denseWidth: 'hiddenSize' } }, softmax] },
        },
      ],
    },
    bailing_moe: {
      layer: [{ ...normed, useQkNorm: false }, feedForward(softmax)],
    },
    bailing_moe_v2: {
      layer: [normed, feedForward(biased)],
      constants: { groups: 8, topGroups: 4, scale: 2.5 },
    },
    dbrx: mixtral,
    deepseek: { layer: [attention, feedForward(unnormalized)] },
    deepseek_v2: { layer: [latent, feedForward({ ...unnormalized, groupScoreTop: 1 })] },
    deepseek_v3: deepseekV3,
    deepseek_v32: deepseekV3,
    deepseek_v4: {
      layer: [
        compressed,
        {
          by: 'choice',
          of: { hashed: [{ ...sqrtsoftplus, hashed: true, correctionBias: false }], scored: [sqrtsoftplus] },
        },
      ],
      mtp: [compressed, sqrtsoftplus],
    },
    dots1: { layer: [normed, feedForward(biased)] },
    ernie4_5_moe: { layer: [attention, feedForward({ ...softmax, correctionBias: true })] },
    glam: {
      layer: [attention, { by: 'experts', of: { dense: [mlp], moe: [{ ...softmax, gated: false }] } }],
      constants: { activation: 'gelu', tied: true, moeInterval: 2 },
    },
    glm4_moe: {
      layer: [{ ...normed, useQkNorm: false, biases: 'qkv' }, feedForward(biased)],
      mtp: [{ ...normed, useQkNorm: false, biases: 'qkv' }, biased],
    },
    glm_moe_dsa: deepseekV3,
    gpt_oss: {
      layer: [
        hybrid({ ...attention, sinks: true }, { ...sliding, sinks: true }),
        { ...afterTopK, routerBias: true, expertBiases: true },
      ],
      constants: { attentionBias: true, fullInterval: 2 },
    },
    granitemoe: { layer: [attention, afterTopK] },
    granitemoehybrid: { layer: [hybrid(attention, { kind: 'mamba2' }), afterTopK] },
    'grok-1': {
      layer: [attention, unnormalized],
      constants: { activation: 'gelu', tied: true, postNorms: true },
    },
    hunyuan: {
      layer: [
        { by: 'keyValues', of: { own: [normed], shared: [{ ...normed, sharesKeyValues: true }] } },
        feedForward(softmax),
      ],
    },
    jamba: { layer: [hybrid(attention, { kind: 'mamba1' }), feedForward(unnormalized)] },
    jetmoe: { layer: [{ kind: 'attentionExperts' }, { ...afterTopK, outputBias: true }] },
    kimi_k2: deepseekV3,
    kimi_linear: { layer: [hybrid(latent, { kind: 'kimiDeltaAttention' }), feedForward(biased)] },
    'llama-moe': { layer: [attention, feedForward(softmax)] },
    llama4_text: {
      layer: [hybrid(attention, sliding), feedForward({ ...sigmoid, normalize: false, sharedExperts: 1 })],
      constants: { fullInterval: 4 },
    },
    longcat_flash: {
      layer: [
        latent,
        mlp,
        latent,
        mlp,
        { ...unnormalized, correctionBias: true, sharesNorm: true, scale: 6 },
      ],
    },
    mimo_v2_flash: {
      layer: [
        hybrid(attention, {
          ...sliding,
          renamed: {
            heads: 'windowHeads',
            keyValueHeads: 'windowKeyValueHeads',
            headDim: 'windowHeadDim',
            valueDim: 'windowValueDim',
            sinks: 'windowSinks',
          },
        }),
        feedForward(sigmoid),
      ],
    },
    minimax_m2: { layer: [{ ...normed, qkNorm: 'fullWidth' }, sigmoid] },
    minimax_m3: { layer: [normed, feedForward(sigmoid)] },
    minimax_text_01: { layer: [hybrid(attention, { kind: 'lightningAttention' }), softmax] },
    mixtral,
    nemotron_h: {
      layer: [nemotronLayer],
      mtp: [nemotronLayer],
      constants: { gated: false, activation: 'relu2' },
    },
    olmoe: { layer: [{ ...normed, qkNorm: 'fullWidth' }, unnormalized] },
    phimoe: { layer: [attention, unnormalized], constants: { normBiases: true } },
    qwen2_moe: {
      layer: [{ ...attention, biases: 'qkv' }, feedForward({ ...unnormalized, sharedGate: true })],
      constants: { attentionBias: true },
    },
    qwen3_5_moe_text: qwenNext,
    qwen3_moe: { layer: [normed, feedForward(unnormalized)] },
    qwen3_next: qwenNext,
    skywork_moe: mixtral,
    step3_text: {
      layer: [attention, feedForward(softmax)],
      constants: { moeLayers: Array.from({ length: 56 }, (_, i) => i + 4).join() },
    },
    'switch-c': {
      layer: [
        { by: 'stack', of: { encoder: [attention], decoder: [attention, attention] } },
        { ...unnormalized, gated: false },
      ],
      constants: { activation: 'relu', tied: true },
    },
  }
}
