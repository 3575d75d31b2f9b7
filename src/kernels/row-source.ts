import type { Draws } from '../random.js'
import type { RoutingInstance } from './routing-module.js'

/** Rows that are made in the memory of the kernels, where they are wanted. */
export interface RowSource<Maker extends RowMaker = RowMaker> {
  /** Floats of a row. */
  readonly width: number
  /** Bytes of the areas that it needs there. */
  readonly bytes: readonly number[]
  /** Goes to work in areas of so many bytes, which lie at `areas`. */
  open(kernels: RoutingInstance, areas: readonly number[]): Maker
}

export interface RowMaker {
  /** Goes to the stream that the draws come from. */
  seek(draws: Draws): void
  /** Makes rows of `tokens` tokens from `first` on, and up to three floats beyond. */
  rows(first: number, tokens: number, at: number): void
}
