import { frozen } from './frozen.js'

/** A stated figure, with where it is from and what else is said of it. */
export interface Fact {
  readonly value: number | string | readonly number[]
  readonly source: string
  readonly note?: string
}

const report = 'arXiv 2512.20848'
const paper = 'arXiv 2512.20856'
const reportAndPaper = 'arXiv 2512.20848; arXiv 2512.20856'
const docs = 'docs/nemotron/nano3 of NVIDIA-NeMo/Nemotron'
const discussion = 'discussion 34 of nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16, which quotes the report'
const overview = 'an overview of the model by its makers'

/**
 * How Nemotron 3 Nano was trained, as its makers state it. Where sources disagree, the note of a fact says so. The mixture
 * of its data is `nemotronMixture`.
 */
export const nemotron3NanoRecipe: Readonly<Record<string, Readonly<Record<string, Fact>>>> =
  /* @__PURE__ */ frozen({
    balancing: {
      biasUpdateRate: { value: 1e-3, source: discussion, note: 'Bias of the selection, aux-loss-free.' },
      auxLossCoefficient: {
        value: 1e-4,
        source: discussion,
        note: 'Together with the bias; the public recipe’s documentation says that auxiliary losses are avoided.',
      },
    },
    pretraining: {
      tokens: { value: 25e12, source: report },
      tokensOfPhases: {
        value: [23.5e12, 1.5e12],
        source: report,
        note: 'Diversity, then quality, from 94 % on.',
      },
      sequenceLength: { value: 8192, source: report, note: 'The public recipe uses 4096.' },
      batchSequences: { value: 3072, source: report },
      learningRatePeak: { value: 1e-3, source: docs },
      learningRateEnd: { value: 1e-5, source: docs },
      warmupTokens: { value: 8.4e9, source: docs },
      stableShare: { value: 0.8, source: report, note: 'Warm-up, stable, decay: the last 20 % decay.' },
      adamBetas: { value: [0.9, 0.95], source: docs },
      weightDecay: { value: 0.1, source: docs },
    },
    longContext: {
      tokens: { value: 121e9, source: report },
      learningRate: { value: 1e-5, source: docs, note: 'Constant.' },
      batchSequences: { value: 48, source: report },
      sequenceLengths: {
        value: [524288, 4096],
        source: report,
        note: 'Only long ones hurt short benchmarks.',
      },
      mixturePercent: {
        value: [79, 20, 1],
        source: report,
        note: 'The mixture of phase 2 scaled down, questions on documents, synthetic retrieval.',
      },
      parallelism: { value: 'context 8, tensor 8, expert 8, pipeline 4', source: report, note: 'On H100.' },
    },
    supervisedFinetuning: {
      steps: { value: 13_000, source: discussion },
      batchSequences: { value: 64, source: discussion },
      packedTokens: { value: 262_144, source: discussion },
      learningRate: { value: 5e-5, source: discussion, note: 'The public recipe uses 1e-5.' },
      warmupSteps: { value: 800, source: discussion },
      sequenceAuxLossCoefficient: { value: 1e-4, source: discussion },
      samples: { value: 18e6, source: report, note: 'More than; reasoning was taken out of 10 % of them.' },
    },
    reinforcementLearning: {
      algorithm: { value: 'synchronous GRPO with masked importance sampling', source: report },
      prompts: { value: 128, source: report },
      generationsPerPrompt: { value: 16, source: report },
      router: { value: 'weights frozen, bias updates active', source: report },
      learningRate: { value: 3e-6, source: docs, note: 'Of the public config, with clipping 0.2 and 0.28.' },
      lengthControl: { value: 0.5, source: overview, note: 'Weight of both terms; answers 30 % shorter.' },
    },
    preferenceOptimization: {
      learningRate: { value: 3e-6, source: report, note: 'A study of DPO against invented tool calls.' },
      batchPairs: { value: 128, source: report },
      steps: { value: 50, source: report },
      weightDpo: { value: 1, source: overview },
      weightSft: { value: 0.2, source: overview },
      weightKl: { value: 0.05, source: overview },
      toolHallucinationPercent: { value: [1.25, 0], source: report, note: 'Before and after, on AIME25.' },
    },
    quantization: {
      format: { value: 'FP8 weights, activations and KV cache', source: report },
      calibrationSamples: { value: 1000, source: report, note: 'About.' },
      attentionInBf16: { value: [5, 12, 19, 26, 33, 42], source: report, note: 'Layers, counted from 0.' },
      mambaInBf16: { value: [4, 11, 18, 25, 32, 41], source: report, note: 'Those before the attention.' },
      convolutions: { value: 'BF16 in all Mamba layers', source: report },
      medianRecoveryPercent: { value: 99, source: report, note: 'About.' },
    },
    inference: {
      throughputRatioToQwen3_30b: {
        value: 3.3,
        source: reportAndPaper,
        note: 'One H200, 8192 tokens in and 16,384 out, FP8, best of vLLM and TensorRT-LLM.',
      },
      throughputRatioToGptOss20b: { value: 2.2, source: reportAndPaper, note: 'MXFP4 weights there.' },
      contextTokens: { value: 1_048_576, source: paper },
    },
  })
