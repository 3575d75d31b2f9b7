import { demandWhole } from '../errors.js'
import { mean } from '../stats.js'

/**
 * A load [E] in which every null expert, those from `numReal` on, counts the mean of them all: the `load` of the losses
 * of AdaMoE, which care how many null experts a token takes and not which, for those are all alike.
 *
 * Source: AdaMoE, arXiv 2406.13233, and its code. Throws an InputError unless 1 ≤ numReal ≤ E.
 */
export function meanNullLoad(load: ArrayLike<number>, numReal: number): Float64Array {
  demandWhole(
    'meanNullLoad: numReal',
    numReal,
    1,
    load.length,
    'The null experts are those after the real ones.',
  )
  const counts = Float64Array.from(load)
  return counts.fill(mean(counts.subarray(numReal)), numReal)
}
