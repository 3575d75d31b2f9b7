import type { Cuts, Scoring } from './cutoffs.js'

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
  /** [E] of all blocks. */
  load(): Int32Array
}
