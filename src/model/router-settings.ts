import { demand, demandWhole } from '../errors.js'
import {
  demandMultiple,
  demandNothingElse,
  demandObject,
  demandOneOf,
  demandSizes,
  demandTruth,
} from './demands.js'

/**
 * What a RouterConfig says, as a model stores it; see there for the meaning of each setting. The model stands below the
 * router and cannot import its type, but every value of this one is a RouterConfig.
 */
export interface RouterSettings {
  readonly numExperts: number
  readonly topK: number
  readonly scoreFunction: 'sigmoid' | 'softmax' | 'sqrtsoftplus'
  readonly softmaxOrder?: 'beforeTopK' | 'afterTopK'
  readonly normalize: boolean
  readonly scale: number
  readonly epsilon?: number
  readonly numGroups?: number
  readonly topGroups?: number
  readonly groupScoreTop?: number
}

/** Throws an InputError on settings that contradict themselves. `at` is their path in the model. */
export function checkRouter(at: string, router: RouterSettings): void {
  demandObject(at, router, 'Give numExperts, topK, scoreFunction, normalize and scale.')
  const { numExperts, topK, scoreFunction, softmaxOrder = 'beforeTopK', normalize, scale, ...others } = router
  const { epsilon = 0, numGroups = 1, topGroups = numGroups, groupScoreTop = 1, ...rest } = others
  const upTo = (most: number, name: string, value: number, remedy: string): void =>
    demandWhole(`model: ${at}.${name}`, value, 1, most, remedy)
  demandNothingElse(at, rest)
  demandSizes(at, { numExperts, numGroups })
  upTo(numExperts, 'topK', topK, 'A token cannot choose more experts than there are.')
  demandOneOf(`${at}.scoreFunction`, scoreFunction, ['sigmoid', 'softmax', 'sqrtsoftplus'])
  const orders = scoreFunction === 'softmax' ? ['beforeTopK', 'afterTopK'] : ['beforeTopK']
  demandOneOf(`${at}.softmaxOrder`, softmaxOrder, orders)
  demandTruth(`${at}.normalize`, normalize, 'True divides the selected scores by their sum.')
  demand(Number.isFinite(scale), `model: ${at}.scale must be a finite number`, scale, 'Use 1 for no scaling.')
  const small = Number.isFinite(epsilon) && epsilon >= 0
  demand(
    small,
    `model: ${at}.epsilon must be a finite number of at least 0`,
    epsilon,
    'Leave it out for 1e-20.',
  )
  demandMultiple(`${at}.numExperts`, numExperts, 'numGroups', numGroups, 'Groups are of one size.')
  const groupSize = numExperts / numGroups
  upTo(numGroups, 'topGroups', topGroups, 'It is how many of the groups a token may use.')
  upTo(topGroups * groupSize, 'topK', topK, 'The kept groups hold only so many experts.')
  upTo(groupSize, 'groupScoreTop', groupScoreTop, 'A group has only so many experts to sum.')
}
