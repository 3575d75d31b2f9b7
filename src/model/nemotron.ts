import type { ModelConfig } from './config.js'
import { frozen } from './frozen.js'

/**
 * NVIDIA Nemotron 3 Nano 30B-A3B: 52 layers, 23 Mamba-2 (M), 23 mixture-of-experts (E) and 6 attention (*).
 *
 * Sources: the report, arXiv 2512.20848, for the architecture; `config.json` of nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16
 * on Hugging Face for the pattern, the vocabulary and the router (`routed_scaling_factor` 2.5, `norm_topk_prob`,
 * `n_group` 1); NemotronHTopkRouter of transformers for the epsilon. The report names 2 shared experts of width 1856,
 * the checkpoint stores them as one MLP of width 3712.
 */
export const nemotron3Nano: ModelConfig = /* @__PURE__ */ frozen<ModelConfig>({
  name: 'Nemotron 3 Nano 30B-A3B',
  hiddenSize: 2688,
  vocabSize: 131072,
  tiedEmbeddings: false,
  pattern: 'MEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEMEM*EMEMEMEME',
  layers: {
    M: [{ kind: 'mamba2', numHeads: 64, headDim: 64, stateSize: 128, numGroups: 8, convKernel: 4 }],
    E: [
      {
        kind: 'moe',
        router: {
          numExperts: 128,
          topK: 6,
          scoreFunction: 'sigmoid',
          normalize: true,
          scale: 2.5,
          epsilon: 1e-20,
          numGroups: 1,
          topGroups: 1,
        },
        correctionBias: true,
        expertWidth: 1856,
        sharedExperts: 2,
        sharedExpertWidth: 1856,
        activation: 'relu2',
        gated: false,
      },
    ],
    '*': [{ kind: 'attention', numHeads: 32, numKeyValueHeads: 2, headDim: 128 }],
  },
})

/**
 * A small language model of the same kind, trained on bytes of text of 12 domains, whose routing trace and training
 * loads come with the examples: 7 layers, hidden width 128, 128 experts of width 32, of which a token uses 6.
 *
 * Source: the README beside the trace, and the shapes of the model's own weights.
 */
export const tinyNemotronH: ModelConfig = /* @__PURE__ */ frozen<ModelConfig>({
  name: 'Small trained NemotronH-type model',
  hiddenSize: 128,
  vocabSize: 256,
  tiedEmbeddings: false,
  pattern: 'MEM*EME',
  layers: {
    M: [{ kind: 'mamba2', numHeads: 8, headDim: 32, stateSize: 16, numGroups: 1, convKernel: 4 }],
    E: [
      {
        kind: 'moe',
        router: {
          numExperts: 128,
          topK: 6,
          scoreFunction: 'sigmoid',
          normalize: true,
          scale: 2.5,
          epsilon: 1e-20,
          numGroups: 1,
          topGroups: 1,
        },
        correctionBias: true,
        expertWidth: 32,
        sharedExperts: 1,
        sharedExpertWidth: 64,
        activation: 'relu2',
        gated: false,
      },
    ],
    '*': [{ kind: 'attention', numHeads: 4, numKeyValueHeads: 2, headDim: 32 }],
  },
})
