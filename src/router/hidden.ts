import { demand } from '../errors.js'
import type { Batch } from './protocol.js'

/** The hidden states [T, D] of a batch, for a router with weights of its own. `who` asks. Throws an InputError where there are none. */
export function hiddenOf({ hidden }: Batch, who: string): Float32Array {
  demand(
    hidden !== undefined,
    `${who}: the workload must give hidden states`,
    hidden,
    'Use a workload such as hiddenDomains or traceWorkload, or pass the router config itself.',
  )
  return hidden
}

/** One value for all layers, or one a layer. Throws an InputError on a layer without. */
export function ofLayer<A extends object>(values: A | readonly A[], layer: number, who: string): A {
  const value = Array.isArray(values) ? (values as readonly A[])[layer] : (values as A)
  demand(
    value !== undefined,
    `${who}: there must be a weight for every layer simulated`,
    `layer ${layer}`,
    'Pass as many weights as layers, or a single one for all.',
  )
  return value
}
