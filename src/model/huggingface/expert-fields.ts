import { demand } from '../../errors.js'
import type { FeedForward } from '../kinds/feed-forward.js'
import type { RouterConfig } from '../router-config.js'
import type { Field } from './aliases.js'
import {
  factor,
  flag,
  flagIf,
  given,
  head,
  oneOf,
  onlyWith,
  type Source,
  size,
  sizeIf,
  stated,
  word,
} from './fields.js'

/** Its own width where the config states one, the general width otherwise; Grok's comes from a factor of D. */
export function widthOf(source: Source, field: Field): number {
  const own = sizeIf(source, field)
  if (own !== undefined) return own
  if (stated(source, 'widening') === undefined) return size(source, 'width')
  const gated = Math.floor((size(source, 'widening') * size(source, 'hiddenSize') * 2) / 3)
  return Math.ceil(gated / 8) * 8
}

const activations: Record<string, FeedForward['activation']> = {
  relu: 'relu',
  relu2: 'relu2',
  silu: 'silu',
  swish: 'silu',
  gelu: 'gelu',
  gelu_new: 'gelu',
  gelu_pytorch_tanh: 'gelu',
  swigluoai: 'swigluoai',
  situ: 'situ',
}

export function feedForward(source: Source): FeedForward {
  onlyWith(source, 'mlpBias', false)
  const known = Object.keys(activations)
  const activation = activations[oneOf(source, 'activation', known, 'silu')]
  const sharesNorm = flagIf(source, 'sharesNorm')
  return { activation, gated: flag(source, 'gated', true), ...given({ sharesNorm }) }
}

/** `sharedWidth` is that of all shared experts together; without it, each is as wide as a routed one. */
export function sharedExperts(source: Source): { sharedExperts: number; sharedExpertWidth: number } {
  const all = size(source, 'sharedWidth', 0, 0)
  const count = size(source, 'sharedExperts', all === 0 ? 0 : 1, 0)
  if (count === 0) return { sharedExperts: 0, sharedExpertWidth: 0 }
  if (all === 0) return { sharedExperts: count, sharedExpertWidth: widthOf(source, 'expertWidth') }
  const name = stated(source, 'sharedWidth')?.name
  const rule = `${head}${name} must be a multiple of the number of shared experts, ${count}`
  demand(all % count === 0, rule, all, 'It is their width together.')
  return { sharedExperts: count, sharedExpertWidth: all / count }
}

export function chosen(source: Source): { numExperts: number; topK: number } {
  const [numExperts, topK] = [size(source, 'experts'), size(source, 'topK')]
  const rule = `${head}${stated(source, 'topK')?.name} must be at most ${stated(source, 'experts')?.name} = ${numExperts}`
  demand(topK <= numExperts, rule, topK, 'A token cannot choose more experts than there are.')
  return { numExperts, topK }
}

export function routerFrom(source: Source): RouterConfig {
  const { numExperts, topK } = chosen(source)
  const grouped = word(source, 'topKMethod', 'noaux_tc') !== 'greedy'
  const known = ['sigmoid', 'softmax', 'sqrtsoftplus'] as const
  return {
    numExperts: numExperts + size(source, 'zeroExperts', 0, 0),
    topK,
    scoreFunction: oneOf(source, 'scoreFunction', known, 'softmax'),
    // A single expert keeps its score, in DeepSeek's code as in Megatron-LM's.
    normalize: topK > 1 && flag(source, 'normalize'),
    scale: factor(source, 'scale', 1),
    ...given({
      softmaxOrder: source.constants.softmaxOrder as 'afterTopK' | undefined,
      numGroups: grouped ? sizeIf(source, 'groups') : undefined,
      topGroups: grouped ? sizeIf(source, 'topGroups') : undefined,
      groupScoreTop: grouped ? sizeIf(source, 'groupScoreTop') : undefined,
    }),
  }
}

/** A config says so itself, or by its method of selection, of which noaux_tc balances by a bias. */
export function correctionBias(source: Source): boolean {
  return flag(source, 'correctionBias', word(source, 'topKMethod', '') === 'noaux_tc')
}
