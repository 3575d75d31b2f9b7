import type { Batch, StepContext } from '../router/protocol.js'

/**
 * Where tokens come from: a pure function of where the simulation stands. It draws randomness from the context's
 * streams only, so that any step can be made again on its own.
 */
export type Workload = (context: StepContext) => Batch
