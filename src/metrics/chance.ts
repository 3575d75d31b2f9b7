import { demandWhole } from '../errors.js'
import { exp, log } from '../math.js'
import { demandChoices, type ExpertChoices } from '../router/choices.js'
import { binomial, type Distribution } from '../stats.js'
import type { BalanceFigures } from './load.js'

/** A batch of T tokens, each choosing K of E experts. K may be a mean, for routers that choose a varying number. */
export interface FairRouting extends ExpertChoices {
  readonly tokens: number
}

/**
 * E[MaxVio] when every token chooses its K of E experts at random: the floor below which no balancing can be seen.
 *
 * An expert's load is Binomial(T, K/E). The expected largest of E independent ones comes from the exact distribution
 * Fᴱ; that the loads must sum to T·K spreads them by a further √(E / (E − 1)), up to E/K − 1, the most there is. For 64
 * experts and more within 1.5 % of simulation where they get 3 tokens or more on average, 2.5 % down to 1, where the Gaussian
 * form z_E · √((1 − K/E) / mean) is 16 % too low and more. Of fewer experts within 3.1 %, and 12 % down to 1, by enumeration.
 */
export function expectedMaxViolation(routing: FairRouting): number {
  return chanceOf(routing).maxViolation
}

/** What chance alone makes of every balance figure: expected values for fair routing of independent tokens. */
export function chanceOf(routing: FairRouting): BalanceFigures {
  const { tokens, numExperts: E, topK } = routing
  demandWhole('chanceOf: tokens', tokens, 0, 1e10, 'It is how many tokens one load counts.')
  demandChoices('chanceOf', routing)
  const share = topK / E
  const mean = tokens * share
  if (mean === 0 || E === 1 || share === 1) return figures(0, 0, 0, 1, mean === 0 ? E : 0)
  const load = binomial(tokens, share)
  // Loads of one batch sum to T·K, a correlation of −1/(E − 1): differences between them are that much larger.
  const spread = Math.sqrt(E / (E - 1))
  // The mean of a standard deviation is below the root of the mean variance: by c₄(E), here in its short form.
  const variation = Math.sqrt((1 - share) / mean) * ((4 * E - 4) / (4 * E - 3))
  return figures(
    Math.min((spread * (expectedLargest(load, E) - mean)) / mean, E / topK - 1),
    variation,
    (spread * meanDifference(load) * ((E - 1) / E)) / (2 * mean), // of E² pairs, E compare a load with itself
    expectedEntropy(load, mean * E, E) / log(E),
    load.first === 0 ? E * load.chance[0] : 0,
  )
}

function figures(
  violation: number,
  variation: number,
  gini: number,
  entropy: number,
  dead: number,
): BalanceFigures {
  return {
    maxViolation: violation,
    maxOverMean: 1 + violation,
    coefficientOfVariation: variation,
    gini,
    normalizedEntropy: entropy,
    deadExperts: dead,
  }
}

/** The expected largest of `count` independent draws: Σ m · (F(m)^count − F(m − 1)^count). */
export function expectedLargest({ first, chance }: Distribution, count: number): number {
  let below = 0
  let largestBelow = 0
  let expected = 0
  for (let i = 0; i < chance.length; i++) {
    below += chance[i]
    const largest = exp(count * log(Math.min(1, below)))
    expected += (first + i) * (largest - largestBelow)
    largestBelow = largest
  }
  return expected
}

/** E|X − Y| of two independent draws: 2 Σ F(m) (1 − F(m)). */
function meanDifference({ chance }: Distribution): number {
  let below = 0
  let sum = 0
  for (const value of chance) {
    below += value
    sum += 2 * below * Math.max(0, 1 - below)
  }
  return sum
}

/** E[−Σ (n/N) ln (n/N)] over E loads of this distribution that sum to N: exact, for the mean of a sum needs no joint law. */
function expectedEntropy({ first, chance }: Distribution, assignments: number, numExperts: number): number {
  let sum = 0
  for (let i = 0; i < chance.length; i++) {
    const share = (first + i) / assignments
    if (share > 0) sum -= chance[i] * share * log(share)
  }
  return numExperts * sum
}
