import { demand } from '../errors.js'
import { type RouterConfig, resolveRouter } from '../router/config.js'
import { routerLogits } from '../router/linear.js'
import { routeScored } from '../router/route.js'
import type { Routing, ScoredRouting } from '../router/routing.js'
import { blockOf, forwardBlock } from './block.js'
import { type LayerConfig, type ResolvedLayer, resolveLayer } from './config.js'
import { type Packing, packAsNeeded, packOnce } from './packing.js'
import { type Parts, partsOf } from './parts.js'
import { checkWeights, type LayerWeights } from './weights.js'

/** Routes tokens [T, D] by the layer's own router and correction bias, and tells the scores. Throws an InputError on what does not fit. */
export function routeLayer(hidden: Float32Array, weights: LayerWeights, config: LayerConfig): ScoredRouting {
  checkWeights(weights, config)
  return routeBy(hidden, weights, config.router)
}

/** Of the weights, those that route. */
type RouterWeights = {
  readonly [name in 'router' | 'routerBias' | 'correctionBias']?: Float32Array | undefined
}

function routeBy(hidden: Float32Array, weights: RouterWeights, config: RouterConfig): ScoredRouting {
  const { router, routerBias, correctionBias } = weights
  return routeScored(routerLogits(hidden, router!, config.numExperts, routerBias), config, correctionBias)
}

/**
 * The output [T, D] of a mixture-of-experts layer for tokens [T, D] and their routing, whoever made it: the layer's own
 * router (`routeLayer`), another, a recording, or one of these behind a capacity. A token whose slots are all empty gets
 * the shared expert alone.
 *
 * Matrices in float32, each sum in order of the inputs and the bias last (`routerLogits` says how); hidden units in float64,
 * rounded once; a token's experts in slot order, weight times output added up in float64 and rounded once; then the
 * projection up from the latent width, and the shared expert, times its gate, added in float64 and rounded once.
 * Source: `NemotronHMoE`, `Qwen2MoeSparseMoeBlock`, `GptOssMLP`, `DeepseekV3MoE` and `Llama4TextMoe` of Hugging Face
 * transformers 5.18.0. Throws an InputError on what does not fit.
 */
export function forwardLayer(
  hidden: Float32Array,
  routing: Routing,
  weights: LayerWeights,
  config: LayerConfig,
): Float32Array {
  const layer = resolveLayer(config)
  checkWeights(weights, config)
  const parts = partsOf(layer)
  return forward(hidden, routing, layer, parts, packAsNeeded(weights, parts))
}

/** `forwardLayer` of one layer, which routes as `routeLayer` does where no routing is given. */
export type LayerForward = (hidden: Float32Array, routing?: Routing) => Float32Array

/**
 * `forwardLayer` for a layer that runs more than once: the weights are laid out for the kernels here, and not in every call.
 * It holds a copy of them, as they are now, up to 2 GB; above, it packs in every call, and they must stay as they are.
 * Same bits.
 */
export function prepareLayer(weights: LayerWeights, config: LayerConfig): LayerForward {
  const layer = resolveLayer(config)
  checkWeights(weights, config)
  const parts = partsOf(layer)
  const packing = packOnce(weights, parts) ?? packAsNeeded(weights, parts)
  const { router, routerBias, correctionBias } = weights
  const kept = {
    router: router?.slice(),
    routerBias: routerBias?.slice(),
    correctionBias: correctionBias?.slice(),
  }
  const settings = resolveRouter(layer.router)
  return (hidden, routing = routeBy(hidden, kept, settings)) =>
    forward(hidden, routing, layer, parts, packing)
}

function forward(
  hidden: Float32Array,
  routing: Routing,
  layer: ResolvedLayer,
  parts: Parts,
  packing: Packing,
): Float32Array {
  checkRouting(hidden, routing, layer)
  const { tokens, topK, numExperts, experts, weights, dropped } = routing
  const { hiddenSize } = layer
  const output = new Float32Array(hidden.length)
  const block = blockOf(layer)
  for (let first = 0; first < tokens; first += block) {
    const end = Math.min(first + block, tokens)
    const own = <A extends Float32Array | Int32Array>(all: A, width: number): A =>
      all.subarray(first * width, end * width) as A
    // Not spread: that would read the scores, which are made only when they are read.
    const part = {
      tokens: end - first,
      topK,
      numExperts,
      experts: own(experts, topK),
      weights: own(weights, topK),
      dropped,
    }
    forwardBlock(own(hidden, hiddenSize), part, layer, parts, packing, own(output, hiddenSize))
  }
  return output
}

function checkRouting(hidden: Float32Array, routing: Routing, { hiddenSize, router }: ResolvedLayer): void {
  const { tokens, numExperts } = routing
  demand(
    hidden.length === tokens * hiddenSize,
    `forwardLayer: hidden must hold ${tokens} tokens × ${hiddenSize} values`,
    hidden,
    'Lay it out as [T, D], the tokens of the routing.',
  )
  demand(
    numExperts === router.numExperts,
    `forwardLayer: the routing must be over the layer's ${router.numExperts} experts`,
    numExperts,
    'Route with the router of the layer.',
  )
}
