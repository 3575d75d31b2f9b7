/** Parameters that are stored, and those of them that one token reads. */
export interface PartCount {
  readonly total: number
  readonly active: number
}

export type Parts = Readonly<Record<string, PartCount>>

/** Multiplications and additions for each pair of a token and one that it sees, itself included. */
export interface PairOperations {
  readonly part: 'attentionScores' | 'indexerScores'
  readonly each: number
  /** For a token seen that comes from the cache, where that differs. */
  readonly eachCached?: number
  /** A token sees only so many; all that came before unless given. */
  readonly window?: number
  /** One entry stands for so many tokens; 1 unless given. */
  readonly ratio?: number
  /** An indexer chooses so many entries of those; all unless given. */
  readonly chosen?: number
}

/** What a token costs beside two operations for each weight that it reads: a multiplication and an addition. */
export interface Operations {
  readonly pairs?: readonly PairOperations[]
  /** On the recurrent state, whatever the context. */
  readonly state?: number
}

/** What there is to know of one kind of sublayer. `Fields` are its own, without the name of the kind. */
export interface Kind<Fields> {
  /** Refuses fields that are missing, stray or in contradiction; `at` heads the errors, such as 'model: layers.E[0]'. */
  check(at: string, fields: Fields): void
  /** The weights by part, without the norm before the sublayer; `hiddenSize` is D, the width of the stream. */
  count(fields: Fields, hiddenSize: number): Parts
}

/** Operations of a kind of sublayer, beside its weights: apart from it, so that who only counts parameters carries none. */
export type OperationsOf<Sublayer> = (fields: Omit<Sublayer, 'kind'>) => Operations

/** What every token reads whole. */
export const always = (count: number): PartCount => ({ total: count, active: count })
