import { dispatchOrder } from '../capacity/dispatch.js'
import { demand } from '../errors.js'
import { linear } from '../kernels/linear.js'
import { sigmoid } from '../math.js'
import { routerLogits } from '../router/linear.js'
import { routeScored } from '../router/route.js'
import type { Routing, ScoredRouting } from '../router/routing.js'
import { unitOf } from './activations.js'
import { type LayerConfig, type ResolvedLayer, resolveLayer } from './config.js'
import { feedForward } from './feed-forward.js'
import { checkWeights, type LayerWeights } from './weights.js'

/** Routes tokens [T, D] by the layer's own router and correction bias, and tells the scores. Throws an InputError on what does not fit. */
export function routeLayer(hidden: Float32Array, weights: LayerWeights, config: LayerConfig): ScoredRouting {
  checkWeights(weights, config)
  const { router } = config
  const logits = routerLogits(hidden, weights.router!, router.numExperts, weights.routerBias)
  return routeScored(logits, router, weights.correctionBias)
}

/**
 * The output [T, D] of a mixture-of-experts layer for tokens [T, D] and their routing, whoever made it: the layer's own
 * router (`routeLayer`), another, a recording, or one of these behind a capacity. A token whose slots are all empty gets
 * the shared expert alone.
 *
 * Matrices in float32, each sum in order of the inputs (`routerLogits` says how); a token's experts in slot order, weight
 * times output added up in float64 and rounded once; then the projection up from the latent width, and the shared expert,
 * added in float64 and rounded once. Source: `NemotronHMoE`, `Qwen2MoeSparseMoeBlock`, `GptOssMLP`, `DeepseekV3MoE` and
 * `Llama4TextMoe` of Hugging Face transformers 5.18.0. Throws an InputError on what does not fit.
 */
export function forwardLayer(
  hidden: Float32Array,
  routing: Routing,
  weights: LayerWeights,
  config: LayerConfig,
): Float32Array {
  const layer = resolveLayer(config)
  checkWeights(weights, config)
  checkRouting(hidden, routing, layer)
  const { hiddenSize, latentWidth } = layer
  if (latentWidth === 0)
    return withShared(hidden, routedExperts(hidden, routing, weights, layer), weights, layer)
  const narrow = linear(hidden, weights.latentDown!, latentWidth)
  const wide = linear(routedExperts(narrow, routing, weights, layer), weights.latentUp!, hiddenSize)
  return withShared(hidden, wide, weights, layer)
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

/** Dispatch, experts, combine: rows [T, I] to [T, I]. */
function routedExperts(
  inputs: Float32Array,
  routing: Routing,
  weights: LayerWeights,
  layer: ResolvedLayer,
): Float32Array {
  const { expertWidth: width, weighInput } = layer
  const inner = layer.latentWidth || layer.hiddenSize
  const unit = unitOf(layer.activation, layer.gated)
  const { slots, offsets } = dispatchOrder(routing)
  const { topK } = routing
  const outputs = new Float32Array(routing.experts.length * inner) // by slot; empty ones stay 0
  for (let expert = 0; expert < routing.numExperts; expert++) {
    const own = slots.subarray(offsets[expert], offsets[expert + 1])
    if (own.length === 0) continue
    const rows = new Float32Array(own.length * inner)
    own.forEach((slot, row) => {
      const token = Math.floor(slot / topK)
      const factor = weighInput ? routing.weights[slot] : 1
      for (let i = 0; i < inner; i++) rows[row * inner + i] = factor * inputs[token * inner + i]
    })
    const results = feedForward(rows, matricesOf(weights, expert, width, inner), width, inner, unit)
    own.forEach((slot, row) => {
      outputs.set(results.subarray(row * inner, (row + 1) * inner), slot * inner)
    })
  }
  return combine(outputs, routing, weighInput, inner)
}

/** The matrices of one routed expert, as views. */
function matricesOf(weights: LayerWeights, expert: number, width: number, inner: number) {
  const part = (all: Float32Array | undefined, size: number): Float32Array | undefined =>
    all?.subarray(expert * size, (expert + 1) * size)
  return {
    gate: part(weights.gateProj, width * inner),
    up: part(weights.upProj, width * inner)!,
    down: part(weights.downProj, width * inner)!,
    gateBias: part(weights.gateProjBias, width),
    upBias: part(weights.upProjBias, width),
    downBias: part(weights.downProjBias, inner),
  }
}

/** Each token's results in slot order, times their weights unless these are in the input already. */
function combine(outputs: Float32Array, routing: Routing, weighed: boolean, inner: number): Float32Array {
  const { tokens, topK, experts, weights } = routing
  const combined = new Float32Array(tokens * inner)
  const sums = new Float64Array(inner)
  for (let token = 0; token < tokens; token++) {
    sums.fill(0)
    for (let slot = token * topK; slot < (token + 1) * topK; slot++) {
      if (experts[slot] < 0) continue
      const factor = weighed ? 1 : weights[slot]
      for (let i = 0; i < inner; i++) sums[i] += factor * outputs[slot * inner + i]
    }
    combined.set(sums, token * inner)
  }
  return combined
}

/** Adds the shared expert's output, times its gate where it has one. */
function withShared(
  hidden: Float32Array,
  routed: Float32Array,
  weights: LayerWeights,
  layer: ResolvedLayer,
): Float32Array {
  const { hiddenSize, sharedWidth, sharedGate, activation, gated } = layer
  if (sharedWidth === 0) return routed
  const expert = {
    gate: weights.sharedGateProj,
    up: weights.sharedUpProj!,
    down: weights.sharedDownProj!,
  }
  const shared = feedForward(hidden, expert, sharedWidth, hiddenSize, unitOf(activation, gated))
  if (!sharedGate) return routed.map((value, i) => value + shared[i])
  const gates = linear(hidden, weights.sharedExpertGate!, 1).map((logit) => sigmoid(logit))
  return routed.map((value, i) => value + gates[Math.floor(i / hiddenSize)] * shared[i])
}
