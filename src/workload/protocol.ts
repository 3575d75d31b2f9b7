import type { Normals } from '../kernels/normal-rows.js'
import type { Batch, StepContext } from '../router/protocol.js'

/**
 * Where tokens come from: a pure function of where the simulation stands. It draws randomness from the context's
 * streams only, so that any step can be made again on its own.
 */
export interface Workload {
  (context: StepContext): Batch
  /**
   * Says that the logits, or else the hidden states, are means[i] + spread · N(0, 1), rounded to float32, drawn from the
   * stream 'workload' as `normalRows` draws: a simulation may then draw and route them in one go.
   */
  readonly normals?: Normals & { readonly of: 'logits' | 'hidden' }
}
