import { demand } from '../errors.js'
import { topK as largest } from '../router/top-k.js'
import { demandTopK } from './choice.js'
import { type Logits, type Loss, type LossOptions, lossOf, validTokens } from './loss.js'
import { addNoise } from './noise.js'
import { probabilitiesOf, pullBack, totalProbability } from './probabilities.js'
import { pullThresholds, smoothLoad } from './smooth-load.js'
import { squaredVariation } from './variation.js'

export interface LoadImportanceLossOptions extends LossOptions {
  readonly topK: number
  /** Tutel's `gate_noise`: the noise on a logit has standard deviation gateNoise / E. Above 0. */
  readonly gateNoise: number
  /** [T, E], what the router added to the logits before it chose; nothing unless given. */
  readonly noise?: ArrayLike<number>
}

/**
 * Tutel's `load_importance_loss`, the mean of CV²(importance) and CV²(load): **0 at balance**. `logits` is [T, E].
 *
 * Importance is that of `importanceLoss`. The load of expert e is Σ_t Φ((P_te − ℓ_t) · E / gateNoise), where ℓ_t is the K-th
 * largest noisy logit of the token: Tutel compares probabilities with a logit, so that with logits above 1 this load is
 * nearly 0 for all experts and says nothing; `noisyTopKLoss` compares like with like. The gradient is for fixed noise.
 *
 * Source: Tutel `impls/losses.py`. Throws an InputError as `auxLoss` does, and on gateNoise that is not above 0.
 */
export function loadImportanceLoss<A extends Logits>(logits: A, options: LoadImportanceLossOptions): Loss<A> {
  const batch = validTokens('loadImportanceLoss', logits, options)
  const { numExperts, topK, gateNoise } = options
  demand(
    gateNoise > 0 && gateNoise < Infinity,
    'loadImportanceLoss: gateNoise must be finite and above 0',
    gateNoise,
    'Without noise there is no smooth load: use importanceLoss.',
  )
  demandTopK(batch, topK)
  const noisy = addNoise(batch, options.noise ?? new Float64Array(logits.length))
  const best = largest(Float32Array.from(noisy), numExperts, topK)
  const rivals = Int32Array.from(noisy, (_, i) => {
    const token = Math.floor(i / numExperts)
    const last = best[token * topK + topK - 1]
    return last < 0 ? -1 : token * numExperts + last
  })

  const p = probabilitiesOf(batch, 'softmax')
  const deviations = new Float64Array(noisy.length).fill(gateNoise / numExperts)
  const { load, slopes } = smoothLoad({ values: p.values, noisy, rivals, deviations }, numExperts)
  const ofImportance = squaredVariation(totalProbability(p))
  const ofLoad = squaredVariation(load)
  const gradient = pullBack(p, (token) => {
    return ofImportance.slope.map((slope, e) => slope + ofLoad.slope[e] * slopes[token * numExperts + e])
  })
  pullThresholds(gradient, rivals, slopes, ofLoad.slope)
  const value = (ofImportance.value + ofLoad.value) / 2
  return lossOf(logits, options, batch, { value, gradient: gradient.map((slope) => slope / 2) })
}
