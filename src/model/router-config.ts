import { demand, demandNothingElse, demandWhole } from '../errors.js'
import { demandMultiple, demandObject, demandOneOf, demandTruth, widest } from './demands.js'

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

/**
 * Throws an InputError on a router that contradicts itself. `whole` is how errors about all of it are headed, `prefix` those
 * about a field: 'router: the config' and 'router: ', or 'model: layers.E[0].router' and the same with a dot.
 */
export function checkRouter(whole: string, prefix: string, router: RouterConfig): void {
  demandObject(whole, router, 'Give numExperts, topK, scoreFunction, normalize and scale.')
  const { numExperts, topK, scoreFunction, softmaxOrder = 'beforeTopK', normalize, scale, ...others } = router
  const { epsilon = 0, numGroups = 1, topGroups = numGroups, groupScoreTop = 1, ...rest } = others
  const upTo = (most: number, name: string, value: number, remedy: string): void =>
    demandWhole(`${prefix}${name}`, value, 1, most, remedy)
  demandNothingElse(whole, rest)
  upTo(widest, 'numExperts', numExperts, 'It is the number of routed experts, such as 128.')
  upTo(numExperts, 'topK', topK, 'A token cannot choose more experts than there are.')
  demandOneOf(`${prefix}scoreFunction`, scoreFunction, ['sigmoid', 'softmax', 'sqrtsoftplus'])
  const orders = scoreFunction === 'softmax' ? ['beforeTopK', 'afterTopK'] : ['beforeTopK']
  demandOneOf(`${prefix}softmaxOrder`, softmaxOrder, orders)
  demandTruth(`${prefix}normalize`, normalize, 'True divides the selected scores by their sum.')
  const representable = Number.isFinite(scale) && Number.isFinite(Math.fround(scale))
  demand(representable, `${prefix}scale must be a finite float32 number`, scale, 'Use 1 for no scaling.')
  const small = Number.isFinite(epsilon) && epsilon >= 0
  demand(small, `${prefix}epsilon must be a finite number of at least 0`, epsilon, 'Leave it out for 1e-20.')
  upTo(numExperts, 'numGroups', numGroups, 'Use 1 for no groups.')
  demandMultiple(`${prefix}numExperts`, numExperts, 'numGroups', numGroups)
  const groupSize = numExperts / numGroups
  upTo(numGroups, 'topGroups', topGroups, 'It is how many of the groups a token may use.')
  upTo(topGroups * groupSize, 'topK', topK, 'The kept groups hold only so many experts.')
  upTo(groupSize, 'groupScoreTop', groupScoreTop, 'A group has only so many experts to sum.')
}
