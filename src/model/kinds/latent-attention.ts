import { demandNothingElse } from '../../errors.js'
import { demandMultiple, demandOneOf, demandSizes } from '../demands.js'
import { checkIndexer, chosenBy, type Indexer, indexerPairs, scores } from './attention.js'
import { always, type Kind, type OperationsOf, type PairOperations } from './kind.js'

/** Multi-head latent attention (MLA): keys and values of all heads come from one narrow vector, which alone is cached. */
export interface LatentAttention {
  readonly kind: 'latentAttention'
  readonly numHeads: number
  /** Queries come through this width, behind an RMSNorm; straight from D unless given. */
  readonly queryRank?: number
  /** Keys and values come through this width, behind an RMSNorm. */
  readonly keyValueRank: number
  /** Width of the part of a query and a key that carries no position. */
  readonly nopeHeadDim: number
  /** Width of the part that does; its key is one for all heads. */
  readonly ropeHeadDim: number
  readonly valueHeadDim: number
  /** The output is gated by a projection [D, numHeads · valueHeadDim] (Kimi-K3). */
  readonly outputGate?: true
  /** Chooses the tokens to attend to (DeepSeek sparse attention): one key with a LayerNorm, a weight for each head. */
  readonly indexer?: Indexer
}

export const latentAttention: Kind<Omit<LatentAttention, 'kind'>> = {
  check(at, { numHeads, keyValueRank, nopeHeadDim, ropeHeadDim, valueHeadDim, ...options }) {
    const { queryRank = 1, outputGate, indexer, ...rest } = options
    demandNothingElse(at, rest)
    demandSizes(at, { numHeads, queryRank, keyValueRank, nopeHeadDim, ropeHeadDim, valueHeadDim })
    demandOneOf(`${at}.outputGate`, outputGate, [undefined, true])
    checkIndexer(at, indexer)
  },

  /**
   * Sources: DeepseekV3Attention of Hugging Face transformers; the Indexer of DeepSeek-V3.2's inference code. The totals
   * of DeepSeek-V2, V3, V3.2 and GLM-5 confirm it.
   */
  count(fields, hiddenSize) {
    const { numHeads, queryRank, keyValueRank, nopeHeadDim, ropeHeadDim, valueHeadDim, indexer } = fields
    const [queries, values] = [numHeads * (nopeHeadDim + ropeHeadDim), numHeads * valueHeadDim]
    const toQueries = queryRank === undefined ? hiddenSize * queries : queryRank * (hiddenSize + 1 + queries)
    const toLatent = hiddenSize * (keyValueRank + ropeHeadDim) + keyValueRank
    const fromLatent = keyValueRank * (numHeads * nopeHeadDim + values)
    const out = values * hiddenSize * (fields.outputGate ? 2 : 1)
    return {
      attention: always(toQueries + toLatent + fromLatent + out),
      indexer: always(indexer ? indexerSize(indexer, queryRank ?? hiddenSize, hiddenSize) : 0),
    }
  },
}

/**
 * Keys and values of new tokens are spread out to all heads. Those of the cache stay the narrow vector, which every head
 * reads as key and as value: the projections from it move to query and output, where they cost the same.
 */
export const latentAttentionOperations: OperationsOf<LatentAttention> = ({
  numHeads,
  keyValueRank,
  nopeHeadDim,
  ropeHeadDim,
  valueHeadDim,
  indexer,
}) => {
  const attended: PairOperations = {
    part: 'attentionScores',
    each: scores(numHeads, nopeHeadDim + ropeHeadDim, valueHeadDim),
    eachCached: scores(numHeads, keyValueRank + ropeHeadDim, keyValueRank),
    ...chosenBy(indexer),
  }
  return { pairs: [attended, ...indexerPairs(indexer)] }
}

const indexerSize = ({ numHeads, headDim }: Indexer, from: number, hiddenSize: number): number =>
  from * numHeads * headDim + hiddenSize * headDim + 2 * headDim + hiddenSize * numHeads

/**
 * Attention of DeepSeek-V4: one head of width headDim that is both key and value, a low-rank query, an output that is
 * projected by groups of heads, a sink for every head, and far tokens compressed to one entry for `compressRatio`.
 */
export interface CompressedAttention {
  readonly kind: 'compressedAttention'
  readonly numHeads: number
  readonly headDim: number
  readonly queryRank: number
  readonly outputRank: number
  readonly outputGroups: number
  /** Tokens to an entry; 0 for none. Those of ratio 4 overlap, which doubles the width of the compressor. */
  readonly compressRatio: number
  /** Chooses compressed entries; it has a compressor of its own. */
  readonly indexer?: Indexer
  /** So many near tokens are seen uncompressed. */
  readonly window?: number
}

export const compressedAttention: Kind<Omit<CompressedAttention, 'kind'>> = {
  check(at, { numHeads, headDim, queryRank, outputRank, outputGroups, compressRatio, ...options }) {
    const { window = 1, indexer, ...rest } = options
    demandNothingElse(at, rest)
    demandSizes(at, { numHeads, headDim, queryRank, outputRank, outputGroups, window })
    demandSizes(at, { compressRatio }, 0)
    demandMultiple(`${at}.numHeads`, numHeads, 'outputGroups', outputGroups)
    checkIndexer(at, indexer)
  },

  /** Source: the tensors of DeepSeek-V4-Flash as Megatron-Bridge lists them; its total confirms the shapes. */
  count(fields, hiddenSize) {
    const { numHeads, headDim, queryRank, outputRank, outputGroups, compressRatio, indexer } = fields
    const queries = numHeads * headDim
    const keyValue = headDim * (hiddenSize + 1)
    const out = queries * outputRank + outputGroups * outputRank * hiddenSize
    const compressor = (dim: number): number => {
      const width = dim * (compressRatio === 4 ? 2 : 1)
      return compressRatio === 0 ? 0 : width * (2 * hiddenSize + compressRatio) + dim
    }
    const index = ({ numHeads, headDim }: Indexer): number =>
      queryRank * numHeads * headDim + hiddenSize * numHeads + compressor(headDim)
    return {
      attention: always(queryRank * (hiddenSize + 1 + queries) + keyValue + out + numHeads),
      compressor: always(compressor(headDim)),
      indexer: always(indexer ? index(indexer) : 0),
    }
  },
}

/** Near tokens whole; of far ones their entries, of which the near ones' are few and count too. */
export const compressedAttentionOperations: OperationsOf<CompressedAttention> = ({
  numHeads,
  headDim,
  compressRatio: ratio,
  window,
  indexer,
}) => {
  const attended = { part: 'attentionScores', each: scores(numHeads, headDim, headDim) } as const
  const near = { ...attended, ...(window !== undefined && { window }) }
  const far = { ...attended, ratio, ...chosenBy(indexer) }
  return { pairs: ratio === 0 ? [near] : [near, far, ...indexerPairs(indexer, ratio)] }
}
