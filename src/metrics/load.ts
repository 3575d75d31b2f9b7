import { demand } from '../errors.js'
import { log } from '../math.js'
import { demandLoad } from './demand-load.js'

/**
 * How unequal a load is. A load is [E], tokens per expert; a load without any token counts as balanced.
 *
 * None of these is 0 (or 1) for fair routing of few tokens: read each beside what chance alone gives, `chanceOf`. All throw
 * an InputError on a load that is not finite, or below 0.
 */
export interface BalanceFigures {
  readonly maxViolation: number
  readonly maxOverMean: number
  readonly coefficientOfVariation: number
  readonly gini: number
  readonly normalizedEntropy: number
  readonly deadExperts: number
}

/** All figures of one load [E]. */
export function balanceOf(load: ArrayLike<number>): BalanceFigures {
  return {
    maxViolation: maxViolation(load),
    maxOverMean: maxOverMean(load),
    coefficientOfVariation: coefficientOfVariation(load),
    gini: gini(load),
    normalizedEntropy: normalizedEntropy(load),
    deadExperts: deadExperts(load),
  }
}

/**
 * MaxVio, (largest load − mean) / mean: 0 at perfect balance, E/K − 1 at most. Wang et al., arXiv 2408.15664, eq. 4.
 *
 * For a model it is taken per layer, then averaged over layers (`meanMaxViolation`); "batch" from the load of one step,
 * "global" from a load summed over many.
 */
export function maxViolation(load: ArrayLike<number>): number {
  return peakOf('maxViolation', load) - 1
}

/** Largest load / mean load: 1 at perfect balance, E/K at most. "Load imbalance" of OLMo-core, "overload" of EPLB. */
export function maxOverMean(load: ArrayLike<number>): number {
  return peakOf('maxOverMean', load)
}

function peakOf(figure: string, load: ArrayLike<number>): number {
  const total = demandLoad(figure, load)
  let largest = 0
  for (let e = 0; e < load.length; e++) largest = Math.max(largest, load[e])
  return total === 0 ? 1 : (largest * load.length) / total
}

/** Standard deviation over mean, of the E loads themselves (not an estimate from a sample: divided by E, not E − 1). */
export function coefficientOfVariation(load: ArrayLike<number>): number {
  const total = demandLoad('coefficientOfVariation', load)
  if (total === 0) return 0
  const average = total / load.length
  let squares = 0
  for (let e = 0; e < load.length; e++) squares += (load[e] - average) * (load[e] - average)
  return Math.sqrt(squares / load.length) / average
}

/** Gini coefficient, Σᵢⱼ |nᵢ − nⱼ| / (2 E² mean): 0 when equal, (E − 1)/E when one expert has it all. */
export function gini(load: ArrayLike<number>): number {
  const total = demandLoad('gini', load)
  if (total === 0) return 0
  const sorted = new Float64Array(load).sort()
  let ranked = 0
  for (let i = 0; i < sorted.length; i++) ranked += (2 * i + 1 - sorted.length) * sorted[i]
  return ranked / (sorted.length * total)
}

/** Entropy of the shares over ln E: 1 when equal, 0 when one expert has it all. */
export function normalizedEntropy(load: ArrayLike<number>): number {
  const total = demandLoad('normalizedEntropy', load)
  return total === 0 || load.length === 1 ? 1 : entropy(load) / log(load.length)
}

/** −Σ share · ln share of a load that is not empty. */
export function entropy(load: ArrayLike<number>): number {
  const total = demandLoad('entropy', load)
  let nats = 0
  for (let e = 0; e < load.length; e++) {
    const share = load[e] / total
    if (share > 0) nats -= share * log(share)
  }
  return nats
}

/**
 * IS, (largest load − smallest) / tokens: 0 at balance, 1 where one expert gets every token and another none. Taken of a
 * load by group, it is the wait of the slowest device. Pangu Pro MoE, arXiv 2505.21411. A batch of no tokens gives 0.
 */
export function imbalanceScore(load: ArrayLike<number>, tokens: number): number {
  demand(load.length > 0, 'imbalanceScore: load must have an expert', load, 'Give one count an expert.')
  demandLoad('imbalanceScore', load)
  demand(
    tokens >= 0,
    'imbalanceScore: tokens must be at least 0',
    tokens,
    'It is how many tokens the load counts.',
  )
  let largest = 0
  let smallest = Infinity
  for (let e = 0; e < load.length; e++) {
    largest = Math.max(largest, load[e])
    smallest = Math.min(smallest, load[e])
  }
  return tokens === 0 ? 0 : (largest - smallest) / tokens
}

/** How many experts got no token. */
export function deadExperts(load: ArrayLike<number>): number {
  demandLoad('deadExperts', load)
  let dead = 0
  for (let e = 0; e < load.length; e++) if (load[e] === 0) dead++
  return dead
}
