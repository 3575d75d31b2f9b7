import { demandNothingElse, demandWhole } from '../errors.js'
import type { RouterConfig } from './config.js'
import { type Routing, withoutFillers } from './routing.js'

export interface LongcatOptions {
  /** Experts that compute, 512 in LongCat-Flash, and identity experts after them, 256. */
  readonly numReal: number
  readonly numZero: number
  /** 12 in LongCat-Flash, of which about 8 are real. */
  readonly topK: number
  /** Multiplies the weights, which are not normalised. */
  readonly scale: number
}

/**
 * Zero-computation experts: experts with an id of `numReal` or more return their input, so that easy tokens cost less. A
 * top-k of softmax + bias over all of them, weights the softmax itself, times scale. They are experts like all others
 * to loads and biases; `identityWeights` is what a token's input is multiplied by, `realExpertsPerToken` what it costs,
 * `longcatBalance` the rule that holds the mean of that.
 *
 * Source: LongCat-Flash, arXiv 2509.01322; `LongcatFlashTopkRouter` of Hugging Face transformers. Throws an InputError on
 * numbers of experts that are none.
 */
export function longcat({ numReal, numZero, topK, scale, ...rest }: LongcatOptions): RouterConfig {
  demandNothingElse('longcat: the options', rest)
  demandWhole('longcat: numReal', numReal, 1, 1 << 20, 'It is the number of experts that compute.')
  demandWhole('longcat: numZero', numZero, 0, 1 << 20, 'It is the number of identity experts after them.')
  return { numExperts: numReal + numZero, topK, scoreFunction: 'softmax', normalize: false, scale }
}

/** [T] how many of each token's experts have an id below `numReal`, and so compute something; fillers are none of its own. */
export function realExpertsPerToken(routing: Routing, numReal: number): Int32Array {
  const { tokens, topK, experts } = withoutFillers(routing)
  const counts = new Int32Array(tokens)
  experts.forEach((expert, slot) => {
    if (expert >= 0 && expert < numReal) counts[Math.floor(slot / topK)]++
  })
  return counts
}

/** [T] the sum of each token's weights for experts from `numReal` on: its input comes back multiplied by it. */
export function identityWeights({ tokens, topK, experts, weights }: Routing, numReal: number): Float32Array {
  const sums = new Float64Array(tokens)
  experts.forEach((expert, slot) => {
    if (expert >= numReal) sums[Math.floor(slot / topK)] += weights[slot]
  })
  return Float32Array.from(sums)
}
