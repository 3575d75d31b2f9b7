import { demand, demandNothingElse } from '../errors.js'
import { softplus } from '../math.js'
import { type RouterConfig, resolveRouter } from './config.js'
import { hiddenOf, ofLayer } from './hidden.js'
import { routerLogits } from './linear.js'
import type { Router } from './protocol.js'
import { route } from './route.js'

export interface NoisyTopKOptions {
  readonly numExperts: number
  readonly topK: number
  /** [E, D] each, one a layer or one for all: the logits, and before softplus the deviation of their noise. */
  readonly gateWeights: Float32Array | readonly Float32Array[]
  readonly noiseWeights: Float32Array | readonly Float32Array[]
  /** The least deviation; 1e-2 unless given. */
  readonly leastDeviation?: number
}

/**
 * Noisy top-k gating: logit = x·W_gate + N(0, 1) · (softplus(x·W_noise) + 1e-2), top-k of these, softmax over the kept.
 * The batch must have hidden states; the bias is not used.
 *
 * Source: Shazeer et al., arXiv 1701.06538, eqs. 3–5; the 1e-2 is that of `NoisyGate` of FastMoE. Throws an InputError
 * on weights that do not fit.
 */
export function noisyTopK(options: NoisyTopKOptions): Router {
  const { numExperts, topK, gateWeights, noiseWeights, leastDeviation = 1e-2, ...rest } = options
  demandNothingElse('noisyTopK: the options', rest)
  const router: RouterConfig = {
    numExperts,
    topK,
    scoreFunction: 'softmax',
    softmaxOrder: 'afterTopK',
    normalize: false,
    scale: 1,
  }
  resolveRouter(router)
  demand(
    leastDeviation >= 0 && leastDeviation < Infinity,
    'noisyTopK: leastDeviation must be a finite number of at least 0',
    leastDeviation,
    'Leave it out for 1e-2.',
  )
  return (batch, _bias, { random, layer, step }) => {
    const hidden = hiddenOf(batch, 'noisyTopK')
    const logits = routerLogits(hidden, ofLayer(gateWeights, layer, 'noisyTopK'), numExperts)
    const raw = routerLogits(hidden, ofLayer(noiseWeights, layer, 'noisyTopK'), numExperts)
    const draws = random('noise/noisy-top-k', layer, step)
    const noise = new Float64Array(numExperts)
    for (let row = 0; row < logits.length; row += numExperts) {
      draws.at(row / numExperts).normals(noise)
      for (let e = 0; e < numExperts; e++)
        logits[row + e] += noise[e] * (softplus(raw[row + e]) + leastDeviation)
    }
    return route(logits, router)
  }
}
