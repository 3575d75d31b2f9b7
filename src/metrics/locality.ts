import { demand } from '../errors.js'
import { loadOf, type Routing, withoutFillers } from '../router/routing.js'

/** How alike neighbouring tokens of a sequence are routed, each beside what independent tokens would give. */
export interface Locality {
  /** Pairs of neighbours compared. */
  readonly pairs: number
  /** Share of pairs whose first expert, by selection key, is the same; a token without one repeats nothing. */
  readonly firstRepeats: number
  /** The same for the expert of the largest combine weight. */
  readonly heaviestRepeats: number
  /** Chance that two independent tokens share their first expert: Σ share², shares of first choices. */
  readonly firstRepeatsByChance: number
  /** Share of pairs with at least one expert in common; `fairOverlap` has its chance level. */
  readonly anyShared: number
  /** Share of the experts of the pairs' second tokens that the token before had chosen too. */
  readonly kept: number
  /** The same of two independent tokens that choose each expert as often as these do: K/E at balance. */
  readonly keptByChance: number
}

/** Compares each token with the one before it in the same sequence; `sequences` is [T]. */
export function locality(routing: Routing, sequences: Int32Array): Locality {
  const own = withoutFillers(routing)
  const { tokens, topK, numExperts, experts, weights } = own
  demand(
    sequences.length === tokens,
    `locality: sequences must be [T], one for each of ${tokens} tokens`,
    sequences,
    'Take them from the batch that was routed.',
  )
  const first = Int32Array.from({ length: tokens }, (_, token) => experts[token * topK])
  const heaviest = Int32Array.from({ length: tokens }, (_, token) => {
    let slot = token * topK
    for (let s = slot + 1; s < (token + 1) * topK; s++) if (weights[s] > weights[slot]) slot = s
    return experts[slot]
  })
  let pairs = 0
  let firstRepeats = 0
  let heaviestRepeats = 0
  let anyShared = 0
  let kept = 0
  let filled = 0
  for (let token = 1; token < tokens; token++) {
    if (sequences[token] !== sequences[token - 1]) continue
    pairs++
    if (first[token] >= 0 && first[token] === first[token - 1]) firstRepeats++
    if (heaviest[token] >= 0 && heaviest[token] === heaviest[token - 1]) heaviestRepeats++
    const before = experts.subarray((token - 1) * topK, token * topK)
    const keptBefore = kept
    for (let s = token * topK; s < (token + 1) * topK; s++) {
      if (experts[s] < 0) continue
      filled++
      if (before.includes(experts[s])) kept++
    }
    if (kept > keptBefore) anyShared++
  }
  const per = Math.max(1, pairs)
  const shares = new Float64Array(numExperts)
  for (const expert of first) if (expert >= 0) shares[expert] += 1 / tokens
  return {
    pairs,
    firstRepeats: firstRepeats / per,
    heaviestRepeats: heaviestRepeats / per,
    firstRepeatsByChance: shares.reduce((sum, share) => sum + share * share, 0),
    anyShared: anyShared / per,
    kept: kept / Math.max(1, filled),
    keptByChance: independentOverlap(own),
  }
}

/** Σ load² / (T · Σ load): the chance that a token drawn at random has an expert that was drawn by its load. */
function independentOverlap(routing: Routing): number {
  let squares = 0
  let sum = 0
  for (const count of loadOf(routing)) {
    squares += count * count
    sum += count
  }
  return sum === 0 ? 0 : squares / (routing.tokens * sum)
}
