import { demand, demandNothingElse } from '../errors.js'
import { sigmoid } from '../math.js'
import { hiddenOf, ofLayer } from './hidden.js'
import { routerLogits } from './linear.js'
import type { Batch, Router } from './protocol.js'
import type { Routing } from './routing.js'
import { rowWidth } from './row-width.js'
import { refuseUnordered } from './score.js'
import { topK } from './top-k.js'
import { unitRows } from './unit-rows.js'
import { routeAllOpen } from './variable.js'

/** The learned gate of a top-any router. */
export interface TopAnyGate {
  /** [E, D] one direction an expert. */
  readonly weight: Float32Array
  /** [E] θ, the cosine that a token must pass to activate the expert; 0 at the start of training. */
  readonly thresholds: Float32Array
  /** What cosines and thresholds are multiplied by before the sigmoid: 1 unless given; learned, and 100 at most, in DynMoE. */
  readonly scale?: number
}

/**
 * Top-any routing, as in training: a token x takes every expert with σ(scale · cos(x, w_e)) > σ(scale · θ_e), each with
 * weight 1 / (how many it takes). It may take none. `gates` is one a layer, or one for all; no bias is read.
 *
 * Both sides are rounded to float32, where a large scale can make them equal, which is not above. Source: Guo et al.,
 * DynMoE, arXiv 2405.14297; LINs-lab/DynMoE `GAMoEGateT`. Throws an InputError on a gate whose parts do not fit one
 * another, and on hidden states [T, D] that are missing, do not fit, or are not finite.
 */
export function topAny(gates: TopAnyGate | readonly TopAnyGate[]): Router {
  return (batch, _, { layer }) => {
    const { keys, numExperts } = gateTokens('topAny', batch, ofLayer(gates, layer, 'topAny'))
    return routeEqually(keys, numExperts)
  }
}

/** The same as in evaluation: a token that passes no threshold takes the expert of its largest cosine, with weight 1. */
export function topAnyEvaluation(gates: TopAnyGate | readonly TopAnyGate[]): Router {
  return (batch, _, { layer }) => {
    const who = 'topAnyEvaluation'
    const { keys, cosines, numExperts } = gateTokens(who, batch, ofLayer(gates, layer, who))
    topK(cosines, numExperts, 1).forEach((best, token) => {
      const row = token * numExperts
      const none = keys.subarray(row, row + numExperts).every((key) => key === Number.NEGATIVE_INFINITY)
      if (none) keys[row + best] = cosines[row + best]
    })
    return routeEqually(keys, numExperts)
  }
}

/** [T, E] cosines, and their scores, −∞ where they do not pass the expert's threshold. */
function gateTokens(who: string, batch: Batch, { weight, thresholds, scale = 1, ...rest }: TopAnyGate) {
  demandNothingElse(`${who}: the gate`, rest)
  const hidden = hiddenOf(batch, who)
  const numExperts = thresholds.length
  const width = rowWidth(`${who}: weight`, weight, numExperts)
  demand(
    scale > 0 && scale < Infinity,
    `${who}: scale must be a finite number above 0`,
    scale,
    'Leave it out for 1.',
  )
  const odd = thresholds.findIndex(Number.isNaN)
  demand(
    odd < 0,
    `${who}: the threshold of expert ${odd} must be a number`,
    thresholds[odd],
    'It is a cosine, 0 to start with.',
  )
  const cosines = routerLogits(unitRows(hidden, width), unitRows(weight, width), numExperts)
  refuseUnordered(cosines, numExperts, who)
  const scores = cosines.map((cosine) => sigmoid(scale * cosine))
  const passes = thresholds.map((threshold) => sigmoid(scale * threshold))
  const keys = scores.map((score, i) => (score > passes[i % numExperts] ? score : Number.NEGATIVE_INFINITY))
  return { keys, cosines, numExperts }
}

/** All open experts, which share a weight of 1. */
function routeEqually(keys: Float32Array, numExperts: number): Routing {
  const weights = new Float32Array(keys.length)
  for (let row = 0; row < keys.length; row += numExperts) {
    const taken = keys.subarray(row, row + numExperts).filter((key) => key !== Number.NEGATIVE_INFINITY)
    weights.fill(1 / taken.length, row, row + numExperts)
  }
  return routeAllOpen(keys, weights, numExperts)
}
