/** Sums that a published total may be: of ours, with stored blocks of multi-token prediction, without embedding and head. */
export type TotalSum = 'total' | 'totalWithMtp' | 'totalNonEmbedding' | 'totalWithMtpNonEmbedding'

/** Conventions of active parameters: without embedding and head, with the head, with both. */
export type ActiveSum = 'backbone' | 'withHead' | 'withEmbedding'

/** A published figure, and how ours compares. */
export interface PublishedFigure<Sum> {
  readonly billions: number
  /** The unit of its last digit, in billions. */
  readonly step: number
  /** It is one of ours rounded; truncated, and none rounded; or neither. */
  readonly verdict: 'rounds' | 'truncates' | 'differs'
  /** Those of ours of which the verdict holds. */
  readonly as: readonly Sum[]
  /** What explains a figure that none of ours rounds to as it stands. */
  readonly why?: string
}

/** A published model as data. */
export interface PublishedModel {
  readonly name: string
  /** The fields of its `config.json` that the architecture needs, for `fromHuggingFaceConfig`. */
  readonly config: object
  /** Where the config is from. */
  readonly source: string
  /** Where the figures are from. */
  readonly publishedIn: string
  readonly total: PublishedFigure<TotalSum>
  readonly active?: PublishedFigure<ActiveSum>
  /**
   * What a checkpoint holds, to the unit, and the sum of our figures that it equals: total, mtp, routerBias (the
   * correction biases), embedAndHeadCopies (the MTP block's copies of both tables); delta and extra are told in the note.
   */
  readonly exact?: { readonly total: number; readonly sum: string }
  readonly note?: string
}
