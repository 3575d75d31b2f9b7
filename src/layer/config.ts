import { demand, demandNothingElse } from '../errors.js'
import { type Activation, activations } from '../kernels/activations.js'
import { type ModelConfig, sublayersOf } from '../model/config.js'
import { demandObject, demandOneOf, demandSizes, demandTruth } from '../model/demands.js'
import { checkRouter, type RouterConfig } from '../model/router-config.js'

/** One mixture-of-experts layer as plain data: a router, E routed experts, and a shared one that every token uses. */
export interface LayerConfig {
  /** D, the width of the tokens. */
  readonly hiddenSize: number
  readonly router: RouterConfig
  /** The router's matrix has a bias [E] that is part of its logits (gpt-oss). */
  readonly routerBias?: boolean
  /** The router has a bias [E] for selection, which balances the load and never reaches the output. */
  readonly correctionBias?: boolean
  /** F, the width of one routed expert. */
  readonly expertWidth: number
  readonly activation: Activation
  /** Gated: down(activation(gate(x)) · up(x)), three matrices. Ungated: down(activation(up(x))), two. */
  readonly gated: boolean
  /** The matrices of the routed experts have biases (gpt-oss). */
  readonly expertBiases?: boolean
  /** Width of the shared expert, 0 for none. S shared experts of width F are one of width S · F, the same sum. */
  readonly sharedWidth?: number
  /** The shared expert's output is multiplied, token by token, by σ(x · w) (Qwen2-MoE). */
  readonly sharedGate?: boolean
  /** LatentMoE: routed experts read and write this width, behind one projection down and one up; D unless given. */
  readonly latentWidth?: number
  /** The weight multiplies the expert's input, not its output (Llama 4). */
  readonly weighInput?: boolean
}

/** The same with every choice made; widths that there are not are 0. */
export type ResolvedLayer = Required<LayerConfig>

/** Fills in the defaults. Throws an InputError on a setting that is unknown or contradicts another. */
export function resolveLayer(config: LayerConfig): ResolvedLayer {
  demandObject('layer: the config', config, 'Give hiddenSize, router, expertWidth, activation and gated.')
  const { hiddenSize, router, routerBias = false, correctionBias = false, ...experts } = config
  const { expertWidth, activation, gated, expertBiases = false, ...others } = experts
  const { sharedWidth = 0, sharedGate = false, latentWidth = 0, weighInput = false, ...rest } = others
  demandNothingElse('layer: the config', rest)
  checkRouter('layer: router', 'layer: router.', router)
  demandSizes('layer', { hiddenSize, expertWidth })
  demandSizes('layer', { sharedWidth, latentWidth }, 0)
  demandOneOf('layer: activation', activation, activations)
  const switches = { routerBias, correctionBias, gated, expertBiases, sharedGate, weighInput }
  for (const [name, value] of Object.entries(switches)) {
    demandTruth(`layer: ${name}`, value, 'It says which weights and steps the layer has.')
  }
  demand(
    gated || activation !== 'swigluoai',
    "layer: gated must be true with activation 'swigluoai'",
    gated,
    'Its unit needs a gate.',
  )
  demand(
    sharedWidth > 0 || !sharedGate,
    'layer: sharedWidth must be above 0 where sharedGate is true',
    sharedWidth,
    'Give the width of the shared expert that it gates.',
  )
  demand(
    !correctionBias || router.softmaxOrder !== 'afterTopK',
    "layer: correctionBias must be false with softmaxOrder 'afterTopK'",
    correctionBias,
    'Such a router selects on logits and takes no bias.',
  )
  return {
    hiddenSize,
    router,
    expertWidth,
    activation,
    sharedWidth,
    latentWidth,
    ...switches,
  }
}

/**
 * The mixture-of-experts layer that a model is made of, such as `layerOf(nemotron3Nano)`. A model tells what it counts by:
 * add `weighInput` for Llama 4, and take 'gelu_tanh' where its gelu is that one.
 * Throws an InputError on a model without such layers, with several that differ, or with parts that no layer here has.
 */
export function layerOf(model: ModelConfig): LayerConfig {
  const [first, ...others] = sublayersOf(model).filter((sublayer) => sublayer.kind === 'moe')
  demand(
    first !== undefined,
    'layerOf: the model must have a mixture-of-experts layer',
    model.name,
    "Give one of its letters a sublayer of kind 'moe'.",
  )
  demand(
    others.every((other) => JSON.stringify(other) === JSON.stringify(first)),
    'layerOf: all mixture-of-experts layers of the model must be alike',
    model.name,
    'Write the config of the layer you mean.',
  )
  const { kind: _, sharedExperts, sharedExpertWidth, ...fields } = first
  const sharedWidth = sharedExperts * sharedExpertWidth
  const config = { ...fields, hiddenSize: model.hiddenSize, sharedWidth } as LayerConfig
  resolveLayer(config) // a model can have parts that a layer here has not
  return config
}
