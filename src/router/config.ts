import { demand, demandWhole } from '../errors.js'

/**
 * A top-k router as plain data. Letters used throughout: T tokens, E routed experts, K experts per token,
 * D model width, G expert groups, L MoE layers.
 */
export interface RouterConfig {
  readonly numExperts: number
  readonly topK: number
  /** sigmoid (DeepSeek-V3, Nemotron 3), softmax (Mixtral, Qwen, OLMoE) or sqrtsoftplus = √ln(1 + eˣ) (DeepSeek-V4). */
  readonly scoreFunction: 'sigmoid' | 'softmax' | 'sqrtsoftplus'
  /**
   * Softmax only. 'beforeTopK' (the default) scores all experts and selects on the scores; 'afterTopK' selects, and
   * scores groups, on the logits and takes the softmax over the selected. Megatron-LM's default is 'afterTopK'.
   */
  readonly softmaxOrder?: 'beforeTopK' | 'afterTopK'
  /**
   * Divide the selected scores by their sum. Taken literally at K = 1, where the weight becomes `scale` and the router
   * gets no gradient: Megatron-LM keeps the raw score of a sigmoid there, which is `normalize: false`.
   */
  readonly normalize: boolean
  /** Multiplies the weights, last; 2.5 for Nemotron 3 Nano. */
  readonly scale: number
  /** Added to the sum that `normalize` divides by; 1e-20 unless given. */
  readonly epsilon?: number
  /** The experts stand in `numGroups` contiguous groups, of which a token may use its best `topGroups`. 1 and 1: no groups. */
  readonly numGroups?: number
  readonly topGroups?: number
  /**
   * A group's score is the sum of its so many best selection scores: 1 = its maximum (DeepSeek-V2), 2 = DeepSeek-V3 and
   * Hugging Face (the default, where a group has two), ⌊K / topGroups⌋ = Megatron-LM.
   */
  readonly groupScoreTop?: number
}

/** The same with every choice made. */
export type ResolvedRouter = Required<RouterConfig>

/** Fills in the defaults. Throws an InputError on a setting that contradicts itself or another. */
export function resolveRouter(router: RouterConfig): ResolvedRouter {
  const { numExperts, topK, scoreFunction, normalize, scale } = router
  const { softmaxOrder = 'beforeTopK', epsilon = 1e-20, numGroups = 1, topGroups = numGroups } = router
  demandWhole(
    'router: numExperts',
    numExperts,
    1,
    1 << 20,
    'It is the number of routed experts, such as 128.',
  )
  demandWhole('router: topK', topK, 1, numExperts, 'A token cannot choose more experts than there are.')
  demand(
    scoreFunction === 'sigmoid' || scoreFunction === 'softmax' || scoreFunction === 'sqrtsoftplus',
    "router: scoreFunction must be 'sigmoid', 'softmax' or 'sqrtsoftplus'",
    scoreFunction,
    'Choose one of the three, or pass a router function of your own.',
  )
  demand(
    softmaxOrder === 'beforeTopK' || (softmaxOrder === 'afterTopK' && scoreFunction === 'softmax'),
    "router: softmaxOrder must be 'beforeTopK' or, with softmax only, 'afterTopK'",
    softmaxOrder,
    'Leave it out unless scoreFunction is softmax.',
  )
  demand(
    typeof normalize === 'boolean',
    'router: normalize must be true or false',
    normalize,
    'Nemotron 3 uses true.',
  )
  demand(Number.isFinite(scale), 'router: scale must be a finite number', scale, 'Use 1 for no scaling.')
  demand(
    epsilon >= 0 && epsilon < Infinity,
    'router: epsilon must be a finite number of at least 0',
    epsilon,
    'Leave it out for 1e-20.',
  )
  demandWhole('router: numGroups', numGroups, 1, numExperts, 'Use 1 for no groups.')
  demand(
    numExperts % numGroups === 0,
    `router: numGroups must divide numExperts = ${numExperts}`,
    numGroups,
    'Groups are contiguous and of one size.',
  )
  demandWhole('router: topGroups', topGroups, 1, numGroups, 'It is how many of the groups a token may use.')
  const groupSize = numExperts / numGroups
  demand(
    topK <= topGroups * groupSize,
    `router: topK must be at most topGroups · numExperts / numGroups = ${topGroups * groupSize}`,
    topK,
    'Keep more groups or choose fewer experts.',
  )
  const { groupScoreTop = Math.min(2, groupSize) } = router
  demandWhole(
    'router: groupScoreTop',
    groupScoreTop,
    1,
    groupSize,
    'A group has only so many experts to sum.',
  )
  return {
    numExperts,
    topK,
    scoreFunction,
    softmaxOrder,
    normalize,
    scale,
    epsilon,
    numGroups,
    topGroups,
    groupScoreTop,
  }
}
