import { type Cuts, cutsOf, stillFit } from './cutoffs.js'
import type { Scoring } from './scores.js'

/** A top-k router as the kernels know it. */
export interface RouteSettings {
  readonly numExperts: number
  readonly topK: number
  readonly scoring: Scoring
  readonly normalize: boolean
  readonly scale: number
  readonly epsilon: number
  readonly numGroups: number
  readonly topGroups: number
  readonly groupScoreTop: number
}

/** Routes blocks of tokens, one after another, by cuts that may move between them and never change the result. */
export interface BlockRouter {
  /** Tokens of the largest block. */
  readonly most: number
  cut(cuts: Cuts): void
  /** Routes `tokens` tokens of `rows` from token `first` on; false if a logit is NaN or +∞. */
  route(
    rows: Float32Array,
    first: number,
    tokens: number,
    experts: Int32Array,
    weights: Float32Array,
  ): boolean
  /** The K-th best and the best key of some of the tokens of the last block, or nearly. */
  kths(): Float32Array
  tops(): Float32Array
  /** Tokens of the last block that no cut suited: all of their scores were computed. */
  slow(): number
  /** [E] of all blocks. */
  load(): Int32Array
}

/**
 * Goes through tokens block by block, as often as it is called, while `routeBlock` says yes: the first few go the whole way
 * and tell where to cut; from then on each block tells the next.
 */
export function inBlocks(
  router: BlockRouter,
): (tokens: number, routeBlock: (first: number, tokens: number) => boolean) => boolean {
  let block = 16
  let cuts: Cuts | undefined
  return (tokens, routeBlock) => {
    for (let first = 0; first < tokens; first += block, block = Math.min(router.most, block * 8)) {
      const some = Math.min(block, tokens - first)
      if (!routeBlock(first, some)) return false
      cuts = recut(router, cuts, some)
    }
    return true
  }
}

/** Moves the cuts of a router after a block where they no longer fit, and gives those it has then. */
function recut(router: BlockRouter, cuts: Cuts | undefined, tokens: number): Cuts | undefined {
  const kths = router.kths()
  const isSpaced = cuts !== undefined && cuts.first > 1
  const areTooFew = cuts !== undefined && !isSpaced && 16 * router.slow() > tokens
  if (cuts !== undefined && !areTooFew && stillFit(cuts, kths)) return cuts
  const next = cutsOf(kths, router.tops(), isSpaced || areTooFew ? cuts : undefined)
  if (next !== undefined) router.cut(next)
  return next
}
