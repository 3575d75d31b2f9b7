import { demand, demandNothingElse, demandWhole } from '../errors.js'
import { log } from '../math.js'
import { causalRouting } from '../router/causal.js'
import type { Batch, Router, StepContext } from '../router/protocol.js'
import { type Agreement, agreement } from './agreement.js'

/** Expert choice of so many experts, where a token gets `topK` of them on average, in so many layers. */
export interface ExpertChoiceShape {
  readonly numExperts: number
  readonly topK: number
  /** 1 unless given. */
  readonly layers?: number
}

/**
 * Bits per token about later tokens that expert choice is known to be able to leak: layers · K · log₂((1 − R) / R), with
 * R = K / E: 50.5 bits for 9 layers of 2 out of 16, where 17 name a token of a vocabulary of 131,072. It counts from below,
 * and is 0 where R is a half or more.
 *
 * Source: Wang et al., arXiv 2408.15664. Throws an InputError on K outside (0, E).
 */
export function leakageBound(shape: ExpertChoiceShape): number {
  const { share, topK, layers } = checkShape('leakageBound', shape)
  return Math.max(0, layers * topK * log2((1 - share) / share))
}

/**
 * The most that the choices of expert choice can tell per token, in bits: layers · E · H₂(K / E), the entropy of E
 * independent yes or no of probability R, which is what a long batch allows. 78.3 for 9 layers of 2 out of 16.
 * Throws an InputError on K outside (0, E).
 */
export function leakageCapacity(shape: ExpertChoiceShape): number {
  const { share, layers } = checkShape('leakageCapacity', shape)
  const entropy = -share * log2(share) - (1 - share) * log2(1 - share)
  return layers * shape.numExperts * entropy
}

/**
 * How much of a batch's routing depends on later tokens, counted: its agreement with `causalRouting`, which routes each
 * token by those up to it. `differingSlotShare` is the share of assignments that a causal run would not have made,
 * `differingTokenShare` that of the tokens whose experts would have been others. 0 for a router that looks at one token
 * at a time. Give expert choice its capacity as a rule of the number of tokens, so that a prefix has its own.
 */
export function futureLeakage(
  router: Router,
  batch: Batch,
  bias: Float32Array,
  context: StepContext,
): Agreement {
  return agreement(router(batch, bias, context), causalRouting(router, batch, bias, context))
}

function checkShape(who: string, { numExperts, topK, layers = 1, ...rest }: ExpertChoiceShape) {
  demandNothingElse(`${who}: the shape`, rest)
  demandWhole(`${who}: numExperts`, numExperts, 2, 1 << 20, 'It is the number of routed experts.')
  demandWhole(`${who}: layers`, layers, 1, 1 << 16, 'It is the number of MoE layers.')
  demand(
    topK > 0 && topK < numExperts,
    `${who}: topK must be above 0 and below ${numExperts}`,
    topK,
    'It is a mean, and need not be whole.',
  )
  return { share: topK / numExperts, topK, layers }
}

const log2 = (x: number): number => log(x) / Math.LN2
