import { demandNothingElse, demandWhole } from '../../errors.js'
import { demandSizes } from '../demands.js'
import { scores } from './attention.js'
import { always, type Kind, type OperationsOf } from './kind.js'

/** A mixture of attention experts: each has queries and an output of its own, all share keys and values (JetMoE). */
export interface AttentionExperts {
  readonly kind: 'attentionExperts'
  readonly numExperts: number
  readonly topK: number
  /** Heads of keys and values, and of the queries of one expert. */
  readonly numKeyValueHeads: number
  readonly headDim: number
}

export const attentionExperts: Kind<Omit<AttentionExperts, 'kind'>> = {
  check(at, { numExperts, topK, numKeyValueHeads, headDim, ...rest }) {
    demandNothingElse(at, rest)
    demandSizes(at, { numExperts, numKeyValueHeads, headDim })
    demandWhole(`${at}.topK`, topK, 1, numExperts, 'A token cannot choose more experts than there are.')
  },

  /** `attentionOther` is the router [D, E] and the bias [D] of the output. Source: JetMoeMoA of Hugging Face transformers. */
  count({ numExperts, topK, numKeyValueHeads, headDim }, hiddenSize) {
    const expert = 2 * hiddenSize * numKeyValueHeads * headDim
    return {
      attention: always(expert),
      attentionExperts: { total: numExperts * expert, active: topK * expert },
      attentionOther: always(hiddenSize * (numExperts + 1)),
    }
  },
}

/** Each chosen expert attends with its own queries. */
export const attentionExpertsOperations: OperationsOf<AttentionExperts> = ({
  topK,
  numKeyValueHeads,
  headDim,
}) => ({
  pairs: [{ part: 'attentionScores', each: scores(topK * numKeyValueHeads, headDim, headDim) }],
})
