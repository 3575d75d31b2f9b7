import type { Routing } from '../router/routing.js'

/** What tokens were routed by since the last update, for rules that look at more than the load. */
export interface Seen {
  readonly routing: Routing
  /** [T, E] what the selection was made from, before any bias. */
  readonly scores: Float32Array
  /** Tokens of each of the micro-batches that stand joined here, in order; all one batch unless given. */
  readonly microBatches?: readonly number[]
}

/**
 * A balance rule: what the router's bias is, and how it follows the load. State is a plain value, handed in and handed
 * back; the simulation, or your own loop, turns the crank. A rule of your own is these three functions.
 */
export interface Balance<State> {
  init(numExperts: number): State
  /**
   * The state after an update from `load` [E], the tokens each expert got since the last update. `seen` is what they
   * were routed by, where the router tells its scores. A rule that wraps another hands it on.
   */
  update(state: State, load: Int32Array, seen?: Seen): State
  /** The bias [E] that the next routing adds to its selection keys. */
  bias(state: State): Float32Array
  /**
   * Says that `update` looks at the load alone, so that a simulation keeps no routings until the update is due and shows
   * none: memory where many micro-batches make one update, and nothing else. A rule without it is shown everything.
   */
  readonly loadOnly?: true
}

/** A value that follows the number of updates made so far. */
export type Schedule = (update: number) => number

/** No balancing: the bias stays 0. */
export const noBalance: Balance<Float32Array> = {
  init: (numExperts) => new Float32Array(numExperts),
  update: (bias) => bias,
  bias: (bias) => bias,
  loadOnly: true,
}
