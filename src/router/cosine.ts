import { demand, demandNothingElse } from '../errors.js'
import { exp } from '../math.js'
import { biasUsed } from './as-router.js'
import { type RouterConfig, resolveRouter } from './config.js'
import { hiddenOf, ofLayer } from './hidden.js'
import { routerLogits } from './linear.js'
import type { Router } from './protocol.js'
import { routeScored } from './route.js'
import { rowWidth } from './row-width.js'
import { unitRows } from './unit-rows.js'

/** The learned weights of a cosine router. P is the width of the projection, 256 in Tutel. */
export interface CosineWeights {
  /** [P, D], and its linear bias [P] if it has one. */
  readonly projection: Float32Array
  readonly projectionBias?: Float32Array
  /** [E, P]: one direction an expert. */
  readonly directions: Float32Array
  /** The logarithm of what the cosine is multiplied by; ln 2 at the start in Tutel, and never above ln 100. */
  readonly temperature: number
}

/**
 * Cosine router logits [T, E] of hidden states [T, D]: cos(projection · x, direction) · exp(min(temperature, ln 100)).
 * So neither the size of a hidden state nor that of an expert's direction counts.
 *
 * Norms are summed in float64 and at least 1e-12. Source: `CosineTopKGate` of Tutel; Chi et al., arXiv 2204.09179.
 * Throws an InputError on lengths that do not fit and on a temperature that is not a number.
 */
export function cosineLogits(hidden: Float32Array, weights: CosineWeights, numExperts: number): Float32Array {
  const { projection, projectionBias, directions, temperature, ...rest } = weights
  demandNothingElse('cosineLogits: the weights', rest)
  const width = rowWidth('cosineLogits: directions', directions, numExperts)
  demand(
    !Number.isNaN(temperature),
    'cosineLogits: temperature must be a number',
    temperature,
    'Use Math.LN2 to start.',
  )
  const projected = unitRows(routerLogits(hidden, projection, width, projectionBias), width)
  const factor = exp(Math.min(temperature, 4.605170185988092))
  return routerLogits(projected, unitRows(directions, width), numExperts).map((cosine) => cosine * factor)
}

/** A top-k router on cosine logits of hidden states; `weights` is one a layer, or one for all. */
export function cosineRouter(
  router: RouterConfig,
  weights: CosineWeights | readonly CosineWeights[],
): Router {
  const { numExperts } = resolveRouter(router)
  return (batch, bias, { layer }) => {
    const hidden = hiddenOf(batch, 'cosineRouter')
    const logits = cosineLogits(hidden, ofLayer(weights, layer, 'cosineRouter'), numExperts)
    return routeScored(logits, router, biasUsed(router, bias))
  }
}
