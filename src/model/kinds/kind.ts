/** Parameters that are stored, and those of them that one token reads. */
export interface PartCount {
  readonly total: number
  readonly active: number
}

export type Parts = Readonly<Record<string, PartCount>>

/** What there is to know of one kind of sublayer. `Fields` are its own, without the name of the kind. */
export interface Kind<Fields> {
  /** Refuses fields that are missing, stray or in contradiction; `at` heads the errors, such as 'model: layers.E[0]'. */
  check(at: string, fields: Fields): void
  /** The weights by part, without the norm before the sublayer; `hiddenSize` is D, the width of the stream. */
  count(fields: Fields, hiddenSize: number): Parts
}

/** What every token reads whole. */
export const always = (count: number): PartCount => ({ total: count, active: count })
