import { demandNothingElse } from '../../errors.js'
import { demandMultiple, demandObject, demandOneOf, demandSizes } from '../demands.js'
import { always, type Kind, type OperationsOf, type PairOperations } from './kind.js'

/** Small extra heads that choose which tokens, or blocks of tokens, a query attends to. */
export interface Indexer {
  readonly numHeads: number
  readonly headDim: number
  /** Entries that a query attends to (`index_topk`): tokens, or what stands for several; all unless given. */
  readonly topK?: number
}

/** Grouped-query attention. numHeads · headDim need not be D. */
export interface Attention {
  readonly kind: 'attention'
  readonly numHeads: number
  readonly numKeyValueHeads: number
  /** Width of a query and of a key. */
  readonly headDim: number
  /** Width of a value; headDim unless given. */
  readonly valueHeadDim?: number
  /** Biases of the projections to queries, keys and values, or of these and of the output; none unless given. */
  readonly biases?: 'qkv' | 'qkvo'
  /** RMSNorms of queries and keys: one [headDim] each for all heads, or one over all heads' width. They count as `norms`. */
  readonly qkNorm?: 'perHead' | 'fullWidth'
  /** A learned logit for every head that takes part in the softmax and attends to nothing. */
  readonly sinks?: true
  /** Queries come through this width, behind an RMSNorm (multi-matrix factorization attention, Step-3). */
  readonly queryRank?: number
  /** Keys and values are those of the layer before (cross-layer attention, Hunyuan-Large). */
  readonly sharesKeyValues?: true
  /** Chooses blocks of tokens; queries [D, heads · dim], one key [D, dim], and an RMSNorm [dim] each (MiniMax-M3). */
  readonly indexer?: Indexer
  /** A token sees only so many tokens, itself included; all that came before unless given. */
  readonly window?: number
}

export const attention: Kind<Omit<Attention, 'kind'>> = {
  check(at, { numHeads, numKeyValueHeads, headDim, ...options }) {
    const { valueHeadDim = 1, queryRank = 1, window = 1, ...switches } = options
    const { biases, qkNorm, sinks, sharesKeyValues, indexer, ...rest } = switches
    demandNothingElse(at, rest)
    demandSizes(at, { numHeads, numKeyValueHeads, headDim, valueHeadDim, queryRank, window })
    demandMultiple(`${at}.numHeads`, numHeads, 'numKeyValueHeads', numKeyValueHeads)
    demandOneOf(`${at}.biases`, biases, [undefined, 'qkv', 'qkvo'])
    demandOneOf(`${at}.qkNorm`, qkNorm, [undefined, 'perHead', 'fullWidth'])
    demandOneOf(`${at}.sinks`, sinks, [undefined, true])
    demandOneOf(`${at}.sharesKeyValues`, sharesKeyValues, [undefined, true])
    checkIndexer(at, indexer)
  },

  count(fields, hiddenSize) {
    const { numHeads, numKeyValueHeads, headDim, valueHeadDim = headDim, queryRank, indexer } = fields
    const queries = numHeads * headDim
    const keyValues = fields.sharesKeyValues ? 0 : numKeyValueHeads * (headDim + valueHeadDim)
    const toQueries = queryRank === undefined ? hiddenSize * queries : queryRank * (hiddenSize + 1 + queries)
    const out = numHeads * valueHeadDim * hiddenSize
    const biases = { none: 0, qkv: queries + keyValues, qkvo: queries + keyValues + hiddenSize }
    const norms = { none: 0, perHead: 2 * headDim, fullWidth: (numHeads + numKeyValueHeads) * headDim }
    const small = biases[fields.biases ?? 'none'] + (fields.sinks ? numHeads : 0)
    return {
      attention: always(toQueries + hiddenSize * keyValues + out + small),
      norms: always(norms[fields.qkNorm ?? 'none']),
      indexer: always(indexer ? indexer.headDim * (hiddenSize * (indexer.numHeads + 1) + 2) : 0),
    }
  },
}

export const attentionOperations: OperationsOf<Attention> = ({
  numHeads,
  headDim,
  valueHeadDim = headDim,
  window,
  indexer,
}) => {
  const attended: PairOperations = {
    part: 'attentionScores',
    each: scores(numHeads, headDim, valueHeadDim),
    ...(window !== undefined && { window }),
    ...chosenBy(indexer),
  }
  return { pairs: [attended, ...indexerPairs(indexer)] }
}

/** Queries on keys, weights on values: 2 · heads · (query + value width). Softmax is left out. */
export const scores = (numHeads: number, keyDim: number, valueDim: number): number =>
  2 * numHeads * (keyDim + valueDim)

export const chosenBy = (indexer: Indexer | undefined): { chosen?: number } =>
  indexer?.topK === undefined ? {} : { chosen: indexer.topK }

/** Every head of an indexer scores every entry by one key. */
export const indexerPairs = (indexer: Indexer | undefined, ratio = 1): PairOperations[] =>
  indexer ? [{ part: 'indexerScores', each: 2 * indexer.numHeads * indexer.headDim, ratio }] : []

/** Grouped-query attention whose output is gated: the query projection is doubled, and queries and keys have RMSNorms. */
export interface GatedAttention {
  readonly kind: 'gatedAttention'
  readonly numHeads: number
  readonly numKeyValueHeads: number
  readonly headDim: number
}

export const gatedAttention: Kind<Omit<GatedAttention, 'kind'>> = {
  check(at, { numHeads, numKeyValueHeads, headDim, ...rest }) {
    demandNothingElse(at, rest)
    attention.check(at, { numHeads, numKeyValueHeads, headDim })
  },

  /** Source: Qwen3NextAttention of Hugging Face transformers. Its two norms [headDim] count with the attention. */
  count({ numHeads, numKeyValueHeads, headDim }, hiddenSize) {
    const matrices = hiddenSize * headDim * (3 * numHeads + 2 * numKeyValueHeads)
    return { attention: always(matrices + 2 * headDim) }
  },
}

export const gatedAttentionOperations: OperationsOf<GatedAttention> = ({ numHeads, headDim }) => ({
  pairs: [{ part: 'attentionScores', each: scores(numHeads, headDim, headDim) }],
})

export function checkIndexer(at: string, indexer: Indexer | undefined): void {
  if (indexer === undefined) return
  demandObject(`${at}.indexer`, indexer, 'Give numHeads and headDim.')
  const { numHeads, headDim, topK = 1, ...rest } = indexer
  demandNothingElse(`${at}.indexer`, rest)
  demandSizes(`${at}.indexer`, { numHeads, headDim, topK })
}
