import { demandWhole } from '../errors.js'
import { exp } from '../math.js'
import { sum } from '../stats.js'
import { demandLoad } from './demand-load.js'
import { entropy } from './load.js'

// Further figures of one load [E], as monitoring tools report them. A load without any token counts as balanced. All
// throw an InputError on a load that is not finite, or below 0.

/** n / mean of each expert, [E]: 1 for a fair share. NeMo Automodel, `expert_utilization`. */
export function utilization(load: ArrayLike<number>): Float64Array {
  const total = demandLoad('utilization', load)
  return Float64Array.from(load, (count) => (total === 0 ? 1 : (count * load.length) / total))
}

/** Quartiles of `utilization` without interpolation: of the sorted E, those at ⌊E/4⌋ and ⌊3E/4⌋. NeMo Automodel. */
export function utilizationQuartiles(load: ArrayLike<number>): { p25: number; p75: number } {
  const sorted = utilization(load).sort()
  return { p25: sorted[Math.floor(load.length / 4)], p75: sorted[Math.floor((3 * load.length) / 4)] }
}

/** (smallest load − mean) / mean: 0 at balance, −1 with a dead expert. */
export function minViolation(load: ArrayLike<number>): number {
  return utilization(load).sort()[0] - 1
}

/** Mean of |n − mean| / mean over the experts. */
export function meanViolation(load: ArrayLike<number>): number {
  return utilization(load).reduce((total, share) => total + Math.abs(share - 1), 0) / load.length
}

/**
 * Standard deviation over mean, the variance divided by E − 1 where `coefficientOfVariation` divides by E. NeMo
 * Automodel; its square is the CV² of Shazeer et al., arXiv 1701.06538, as FastMoE has it. 0 for a single expert.
 */
export function unbiasedVariation(load: ArrayLike<number>): number {
  const squares = utilization(load).reduce((total, share) => total + (share - 1) * (share - 1), 0)
  return Math.sqrt(squares / Math.max(1, load.length - 1))
}

/** (largest load + 1) / (smallest load + 1). FastMoE. */
export function maxOverMin(load: ArrayLike<number>): number {
  demandLoad('maxOverMin', load)
  const sorted = Float64Array.from(load).sort()
  return (sorted[sorted.length - 1] + 1) / (sorted[0] + 1)
}

/** exp(H): how many experts, equally used, would have the entropy of this load. 0 of no load. */
export function effectiveExperts(load: ArrayLike<number>): number {
  return demandLoad('effectiveExperts', load) === 0 ? 0 : exp(entropy(load))
}

/** exp(H) / E: 1 at balance, 1/E where one expert has it all, 0 of no load. NeMo Automodel, `expert_diversity`. */
export function expertDiversity(load: ArrayLike<number>): number {
  return effectiveExperts(load) / load.length
}

/**
 * How concentrated a load is: the share of it that the `top` busiest experts take, over their fair share top / E. Above 2
 * Megatron-LM (`tools/moe_routing`) calls routing concentrated: a small hot set serves most of it. 1 of no load.
 */
export function concentration(load: ArrayLike<number>, top: number): number {
  demandWhole('concentration: top', top, 1, load.length, 'It is how many of the experts count as hot.')
  const sorted = utilization(load).sort().reverse()
  return sum(sorted.subarray(0, top)) / top
}
