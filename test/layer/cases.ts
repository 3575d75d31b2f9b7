import {
  float32Tensor,
  type LayerConfig,
  type LayerWeights,
  readLayerWeights,
  type Tensor,
  type WeightLayout,
  weightLayouts,
} from 'moesim'
import { type Golden, golden } from '../golden.js'

type Case = Golden & {
  config: LayerConfig
  layout: WeightLayout
  weights: LayerWeights
  hidden: Float32Array
}

/** What transformers 5 holds in memory, which the recorded layers were run from. */
const fused = (layout: WeightLayout): WeightLayout => ({ ...layout, experts: 'fused' })

const gated = { activation: 'silu', gated: true } as const
const nemotron = { activation: 'relu2', gated: false, correctionBias: true } as const

/** What the parameters of each case do not say in the words of a layer config. */
const own: Record<string, [Partial<LayerConfig>, WeightLayout]> = {
  'layer-nemotron-h-tiny': [nemotron, fused(weightLayouts.nemotronH)],
  'layer-nemotron-h-128': [nemotron, fused(weightLayouts.nemotronH)],
  'layer-nemotron-h-latent': [nemotron, fused(weightLayouts.nemotronH)],
  'layer-qwen2-moe': [{ ...gated, sharedGate: true }, fused(weightLayouts.qwen2Moe)],
  'layer-gpt-oss': [
    { activation: 'swigluoai', gated: true, routerBias: true, expertBiases: true },
    weightLayouts.gptOss,
  ],
  'layer-deepseek-v3': [{ ...gated, correctionBias: true }, fused(weightLayouts.deepseekV3)],
  'layer-llama4': [{ ...gated, weighInput: true }, weightLayouts.llama4],
}

export const layerCases = Object.keys(own)

/** A recorded layer as config, weights and input of this library. */
export function layerCase(name: string): Case {
  const file = golden(name)
  const [settings, layout] = own[name]
  const { params } = file as unknown as { params: Record<string, number> }
  const groups = params.numGroups > 1 && { numGroups: params.numGroups, topGroups: params.topGroups }
  const config = {
    hiddenSize: params.hidden,
    expertWidth: params.expertIntermediate,
    sharedWidth: params.sharedIntermediate ?? 0,
    latentWidth: params.latent ?? 0,
    router: {
      numExperts: params.numExperts,
      topK: params.topK,
      scoreFunction: params.scoreFunction,
      ...('softmaxOrder' in params && { softmaxOrder: params.softmaxOrder }),
      normalize: params.normalize,
      scale: params.scale,
      epsilon: params.epsilon,
      ...groups,
    },
    ...settings,
  } as unknown as LayerConfig
  const tensors = new Map<string, Tensor>()
  const parameters = file.inputs.parameters as unknown as Record<string, Golden['inputs'][string]>
  for (const [stored, value] of Object.entries(parameters)) {
    const hf = stored === 'selectionBias' ? layout.correctionBias : stored
    tensors.set(hf, float32Tensor(file.floats(value), value.shape))
  }
  const weights = readLayerWeights({ metadata: {}, tensors }, config, { layout })
  return { ...file, config, layout, weights, hidden: file.floats(file.inputs.hidden) }
}
