import type { Sublayer } from './kinds/kinds.js'

/** Numbers that a sublayer keeps for each token of the context, or of its last `window`. */
export interface Kept {
  readonly numbersPerToken: number
  readonly window?: number
}

/** What a sublayer keeps for a sequence, counted in numbers, and which of its weights are routed experts. */
export interface Holdings {
  readonly caches?: readonly Kept[]
  /** Recurrent state, whatever the length of the sequence. */
  readonly state?: number
  /** Inputs that a convolution over time still needs. */
  readonly convState?: number
  readonly experts?: RoutedExperts
}

export interface RoutedExperts {
  /** Their name among the parts of `countParameters`. */
  readonly part: string
  /** Those that have weights, and how many of them a token uses; a mean where some choices are no experts. */
  readonly numExperts: number
  readonly topK: number
  /** Groups of the router, and how many of them a token may use, where that is not all. */
  readonly numGroups?: number
  readonly topGroups?: number
  /** What an expert reads and writes; D unless given. */
  readonly width?: number
}

export const holdingsOf = (sublayer: Sublayer): Holdings =>
  (holdings[sublayer.kind] as (sublayer: Sublayer) => Holdings)(sublayer)

/** Keys and values of grouped-query attention, of equal width. */
const grouped = ({ numKeyValueHeads, headDim }: { numKeyValueHeads: number; headDim: number }): number =>
  2 * numKeyValueHeads * headDim

const holdings: { [K in Sublayer['kind']]: (sublayer: Extract<Sublayer, { kind: K }>) => Holdings } = {
  mlp: () => ({}),

  /** Of LongCat's choices some are no experts: of K, those that are when all are chosen equally often. */
  moe({ router, zeroExperts = 0, latentWidth, hashed }) {
    const { numExperts, topK, numGroups = 1, topGroups = numGroups } = router
    const real = numExperts - zeroExperts
    const width = latentWidth === undefined ? {} : { width: latentWidth }
    // A table of token ids knows no groups, and those of experts that are none do not divide the others.
    const limited = topGroups < numGroups && zeroExperts === 0 && !hashed
    const groups = limited ? { numGroups, topGroups } : {}
    return {
      experts: {
        part: 'routedExperts',
        numExperts: real,
        topK: (topK * real) / numExperts,
        ...groups,
        ...width,
      },
    }
  },

  /** An indexer keeps one key a token. Keys and values of the layer before are kept there. */
  attention({ numKeyValueHeads, headDim, valueHeadDim = headDim, sharesKeyValues, indexer, window }) {
    const keyValues = sharesKeyValues ? 0 : numKeyValueHeads * (headDim + valueHeadDim)
    const limit = window === undefined ? {} : { window }
    return { caches: [{ numbersPerToken: keyValues + (indexer?.headDim ?? 0), ...limit }] }
  },

  gatedAttention: (fields) => ({ caches: [{ numbersPerToken: grouped(fields) }] }),

  attentionExperts: ({ numExperts, topK, ...fields }) => ({
    caches: [{ numbersPerToken: grouped(fields) }],
    experts: { part: 'attentionExperts', numExperts, topK },
  }),

  /** The narrow vector and the key that carries positions, for all heads. */
  latentAttention: ({ keyValueRank, ropeHeadDim, indexer }) => ({
    caches: [{ numbersPerToken: keyValueRank + ropeHeadDim + (indexer?.headDim ?? 0) }],
  }),

  /** One vector is key and value: of near tokens each, of far ones an entry for `compressRatio` tokens, and its index key. */
  compressedAttention({ headDim, compressRatio, window, indexer }) {
    const near = { numbersPerToken: headDim, ...(window !== undefined && { window }) }
    const far = { numbersPerToken: (headDim + (indexer?.headDim ?? 0)) / Math.max(1, compressRatio) }
    return { caches: compressRatio === 0 ? [near] : [near, far] }
  },

  mamba1: ({ innerSize, stateSize, convKernel }) => ({
    state: innerSize * stateSize,
    convState: innerSize * (convKernel - 1),
  }),

  mamba2: ({ numHeads, headDim, stateSize, numGroups, convKernel }) => ({
    state: numHeads * headDim * stateSize,
    convState: (numHeads * headDim + 2 * numGroups * stateSize) * (convKernel - 1),
  }),

  gatedDeltaNet: ({ numKeyHeads, keyHeadDim, numValueHeads, valueHeadDim, convKernel }) => ({
    state: numValueHeads * keyHeadDim * valueHeadDim,
    convState: (2 * numKeyHeads * keyHeadDim + numValueHeads * valueHeadDim) * (convKernel - 1),
  }),

  lightningAttention: ({ numHeads, headDim }) => ({ state: numHeads * headDim * headDim }),

  kimiDeltaAttention: ({ numHeads, headDim, convKernel }) => ({
    state: numHeads * headDim * headDim,
    convState: 3 * numHeads * headDim * (convKernel - 1),
  }),
}
