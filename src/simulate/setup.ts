import type { Balance } from '../balance/protocol.js'
import type { CapacityPolicy } from '../capacity/protocol.js'
import type { RouterConfig } from '../router/config.js'
import type { Router } from '../router/protocol.js'
import type { Workload } from '../workload/protocol.js'
import type { Snapshot } from './snapshot.js'

/** What to simulate. `State` is whatever the balance rule keeps. */
export interface Setup<State> {
  /** A top-k router as data, or a router function of one's own. */
  readonly router: RouterConfig | Router
  readonly balance: Balance<State>
  readonly workload: Workload
  readonly tokensPerStep: number
  /** Steps to yield; endless unless given: stop with `break`. */
  readonly steps?: number
  /** MoE layers, each with its own tokens and bias; 1 unless given. */
  readonly layers?: number
  /** E: needed for a router function whose batches carry no logits to count. */
  readonly numExperts?: number
  readonly seed?: string | number
  /** Steps (micro-batches) whose summed load makes one bias update; 1 unless given. */
  readonly updateEvery?: number
  /**
   * What the experts take of a routing; everything unless given, as of a dropless layer. The load, the report and the
   * balance rule see what is left, as in Megatron-LM, where a full expert counts as no more than full; the scores that a
   * rule may look at are those of before.
   */
  readonly capacity?: CapacityPolicy
  /** Go on from here instead of from step 0. */
  readonly from?: Snapshot
}
