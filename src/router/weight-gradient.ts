import { demand } from '../errors.js'
import { sigmoid, softplus } from '../math.js'
import { type ResolvedRouter, type RouterConfig, resolveRouter } from './config.js'
import type { Routing } from './routing.js'
import { softmaxRows } from './score.js'

/**
 * How a loss pulls on the logits by way of the combine weights: from its `gradient` with respect to the weights [T, K] of a
 * routing that `route` made of these logits, to that with respect to the logits [T, E]. The choice itself has no gradient,
 * as in every implementation. After a capacity, give the routing of before it, and 0 where weights were dropped: their
 * scores still are in the sum that the others were divided by.
 *
 * For w = scale · s / (Σs + ε) of the chosen, ∂L/∂ln s = w · (g − Σ g·w / scale), without normalisation w · g; from there
 * by d ln s / d logit. In float64 from the float32 weights, rounded once. Throws an InputError on lengths that do not fit.
 */
export function weightGradient(
  logits: Float32Array,
  routing: Pick<Routing, 'experts' | 'weights'>,
  router: RouterConfig,
  gradient: Float32Array,
): Float32Array {
  const resolved = resolveRouter(router)
  const { numExperts, topK } = resolved
  const { experts, weights } = routing
  const slots = (logits.length / numExperts) * topK
  demand(
    experts.length === slots && weights.length === slots && gradient.length === slots,
    `weightGradient: a gradient and a routing by topK = ${topK} of these logits must hold ${slots} slots`,
    `${gradient.length} and ${experts.length}`,
    'Give the logits, the router and the weights that belong together.',
  )
  const result = new Float32Array(logits.length)
  const slope = slopes[slopeOf(resolved)]
  for (let first = 0; first < slots; first += topK) {
    const row = (first / topK) * numExperts
    const mean = meanPull(weights, gradient, first, resolved)
    for (let slot = first; slot < first + topK; slot++) {
      if (weights[slot] === 0) continue // an empty slot, or a score that has underflowed
      const at = row + experts[slot]
      result[at] = weights[slot] * (gradient[slot] - mean) * slope(logits[at])
    }
  }
  return slopeOf(resolved) === 'softmax' ? throughSoftmax(logits, result, numExperts) : result
}

/** Σ g·w / scale of the row from `first` on, what normalised weights have in common; 0 for the others. */
function meanPull(
  weights: Float32Array,
  gradient: Float32Array,
  first: number,
  router: ResolvedRouter,
): number {
  const normalized = router.normalize || router.softmaxOrder === 'afterTopK'
  if (!normalized || router.scale === 0) return 0
  let sum = 0
  for (let slot = first; slot < first + router.topK; slot++) sum += gradient[slot] * weights[slot]
  return sum / router.scale
}

const slopeOf = ({ scoreFunction, softmaxOrder }: ResolvedRouter): keyof typeof slopes =>
  softmaxOrder === 'afterTopK' ? 'afterTopK' : scoreFunction

/** d ln score / d logit; of a softmax over all experts the part of the logit's own. */
const slopes = {
  sigmoid: (logit: number): number => sigmoid(-logit),
  sqrtsoftplus: (logit: number): number => sigmoid(logit) / (2 * softplus(logit)),
  softmax: (): number => 1,
  afterTopK: (): number => 1,
}

/** From ∂L/∂ln p to ∂L/∂logit: every logit is in every denominator. */
function throughSoftmax(logits: Float32Array, pull: Float32Array, width: number): Float32Array {
  const probabilities = softmaxRows(logits, width, 'weightGradient')
  const result = new Float32Array(pull.length)
  for (let row = 0; row < pull.length; row += width) {
    let sum = 0
    for (let e = row; e < row + width; e++) sum += pull[e]
    for (let e = row; e < row + width; e++) result[e] = pull[e] - probabilities[e] * sum
  }
  return result
}
