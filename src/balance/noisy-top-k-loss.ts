import { topK as largest } from '../router/top-k.js'
import { demandTopK } from './choice.js'
import { type Logits, type Loss, type LossOptions, lossOf, validTokens } from './loss.js'
import { addNoise, deviationsOf } from './noise.js'
import { probabilitiesOf, pullBack, totalProbability } from './probabilities.js'
import { pullThresholds, smoothLoad } from './smooth-load.js'
import { squaredVariation } from './variation.js'

export interface NoisyTopKLossOptions extends LossOptions {
  readonly topK: number
  /** [T, E], what the router added to the logits before it chose: deviation · a standard normal draw. */
  readonly noise: ArrayLike<number>
  /** [T, E], the standard deviations of that noise, above 0: softplus(x · W_noise) + 0.01 in FastMoE. A constant here. */
  readonly deviation: ArrayLike<number>
}

/** A loss with the two totals whose variation it is. */
export interface NoisyTopKLoss<A extends Logits> extends Loss<A> {
  /** [E], the gates summed over tokens. */
  readonly importance: Float64Array
  /** [E], the smooth load: Σ over tokens of the probability that fresh noise on this expert alone makes it one of the K. */
  readonly load: Float64Array
}

/**
 * The losses of noisy top-k gating, CV²(importance) + CV²(load): **0 at balance**. `logits` is [T, E], without noise.
 *
 * Gates are the softmax over the K largest noisy logits. Expert i of a token counts Φ((logit_i − threshold_i) / deviation_i),
 * where the threshold is the K-th largest noisy logit of the other experts. Variances are over E − 1, as in FastMoE's
 * `NoisyGate`. The gradient is for fixed noise and goes through the thresholds too.
 *
 * Source: Shazeer et al., arXiv 1701.06538, eqs. 3–11. Throws an InputError as `auxLoss` does, and on noise that is not
 * finite or deviations that are not above 0.
 */
export function noisyTopKLoss<A extends Logits>(logits: A, options: NoisyTopKLossOptions): NoisyTopKLoss<A> {
  const batch = validTokens('noisyTopKLoss', logits, options)
  const { numExperts, topK } = options
  demandTopK(batch, topK)
  const noisy = addNoise(batch, options.noise)
  const deviations = deviationsOf(batch, options.deviation)
  const { gateLogits, rivals } = rank(noisy, numExperts, topK)

  const gates = probabilitiesOf({ ...batch, logits: gateLogits }, 'softmax')
  const importance = totalProbability(gates)
  const { load, slopes } = smoothLoad({ values: batch.logits, noisy, rivals, deviations }, numExperts)
  const ofImportance = squaredVariation(importance)
  const ofLoad = squaredVariation(load)
  const gradient = pullBack(gates, () => ofImportance.slope)
  slopes.forEach((slope, i) => {
    gradient[i] += ofLoad.slope[i % numExperts] * slope
  })
  pullThresholds(gradient, rivals, slopes, ofLoad.slope)
  const value = ofImportance.value + ofLoad.value
  return { ...lossOf(logits, options, batch, { value, gradient }), importance, load }
}

/**
 * From noisy logits [tokens, E]: the same with −∞ for those that are not among the K largest of their row, and for each
 * the place, in the whole array, of the K-th largest among the others of its row; −1 where there are fewer than K.
 */
function rank(noisy: Float64Array, numExperts: number, topK: number) {
  const width = Math.min(topK + 1, numExperts)
  const best = largest(Float32Array.from(noisy), numExperts, width)
  const gateLogits = new Float64Array(noisy.length).fill(Number.NEGATIVE_INFINITY)
  const rivals = new Int32Array(noisy.length)
  for (let start = 0, first = 0; start < noisy.length; start += numExperts, first += width) {
    const places = best.subarray(first, first + width).map((expert) => (expert < 0 ? -1 : start + expert))
    rivals.fill(places[topK - 1], start, start + numExperts)
    for (const place of places.subarray(0, topK).filter((chosen) => chosen >= 0)) {
      gateLogits[place] = noisy[place]
      rivals[place] = places[topK] ?? -1
    }
  }
  return { gateLogits, rivals }
}
