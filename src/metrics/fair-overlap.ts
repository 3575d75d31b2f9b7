import { demandWhole } from '../errors.js'

/** What independent tokens that choose K of E experts at random have in common: the floor of every figure of specialisation. */
export interface FairOverlap {
  /** Two tokens have the same first expert: 1/E. */
  readonly firstRepeats: number
  /** Two tokens share at least one expert: 1 − C(E − K, K) / C(E, K). */
  readonly anyShared: number
  /** Share of a token's experts that another token has too, and of tokens that choose a given expert: K/E. */
  readonly kept: number
  /** A token that chose one expert chose a given other: (K − 1) / (E − 1). */
  readonly coActivation: number
  /** A token chose both of a given pair: K (K − 1) / (E (E − 1)). */
  readonly pairShare: number
}

/** The chance levels of `locality`, `companions`, `routerSaturation` and `domainSpecialization`. */
export function fairOverlap({ numExperts: E, topK: K }: { numExperts: number; topK: number }): FairOverlap {
  demandWhole('fairOverlap: numExperts', E, 1, 1 << 20, 'It is the number of routed experts, such as 128.')
  demandWhole('fairOverlap: topK', K, 1, E, 'A token cannot choose more experts than there are.')
  let disjoint = 1
  for (let slot = 0; slot < K; slot++) disjoint *= Math.max(0, E - K - slot) / (E - slot)
  const coActivation = E === 1 ? 0 : (K - 1) / (E - 1)
  return {
    firstRepeats: 1 / E,
    anyShared: 1 - disjoint,
    kept: K / E,
    coActivation,
    pairShare: (K / E) * coActivation,
  }
}
