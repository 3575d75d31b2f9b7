import { addTo, concatenate } from '../arrays.js'
import { sum } from '../stats.js'
import { checkExperts } from './check-experts.js'

/** Which experts each token goes to, and with what weight: the answer of every router. */
export interface Routing {
  readonly tokens: number
  readonly topK: number
  readonly numExperts: number
  /** [T, K], best selection key first; -1 is an empty slot. */
  readonly experts: Int32Array
  /** [T, K] combine weights, 0 at empty slots. */
  readonly weights: Float32Array
  /** Assignments that were chosen and then refused by a capacity. */
  readonly dropped: number
  /**
   * [T, E] what the selection was made from, before any bias and with −∞ where a token may not go: told by routers that
   * select on scores, for balance rules that look at them.
   */
  readonly scores?: Float32Array
  /** [T, S] the weights of experts that are always on, told by `jointNorm`; 0 at padding. */
  readonly sharedWeights?: Float32Array
  /** Where rows of a token have been filled up for a fixed shape, see `PaddedRouting`: fillers stand behind its own slots. */
  readonly fillers?: Int32Array
  readonly ownSlots?: number
}

/** What rules read of a batch: T tokens that choose K of E experts each. A Routing is one. */
export type RoutingSizes = Pick<Routing, 'tokens' | 'topK' | 'numExperts'>

/** A routing that tells its scores. */
export type ScoredRouting = Routing & Required<Pick<Routing, 'scores'>>

/**
 * Tokens per expert, [E]: its sum is the number of filled slots, so that nothing is lost. Throws an InputError on experts
 * that are none.
 */
export function loadOf(routing: Routing): Int32Array {
  const { numExperts, experts } = routing
  const counts = new Int32Array(numExperts + 1) // empty slots first
  for (const expert of experts) counts[expert + 1]++
  if (sum(counts) < experts.length) checkExperts('loadOf: experts', routing)
  return counts.slice(1)
}

/** K without fillers: the slots of a row that a token has chosen for, which stand first. */
export const ownSlotsOf = ({ ownSlots, topK }: Pick<Routing, 'ownSlots' | 'topK'>): number => ownSlots ?? topK

/** [T] how many slots each token fills itself, without fillers. */
export function filledSlots(routing: Routing): Int32Array {
  const { tokens, topK, experts } = routing
  const own = ownSlotsOf(routing)
  const filled = new Int32Array(tokens)
  for (let token = 0; token < tokens; token++) {
    const first = token * topK
    for (let slot = first; slot < first + own; slot++) if (experts[slot] >= 0) filled[token]++
  }
  return filled
}

/** The same routing in rows of `topK` slots, `own` of them a token's own, no fewer than it has; the new ones are empty. */
export function widen(routing: Routing, topK: number, own: number): Routing {
  const { tokens } = routing
  const before = ownSlotsOf(routing)
  const experts = new Int32Array(tokens * topK).fill(-1)
  const weights = new Float32Array(tokens * topK)
  for (let token = 0; token < tokens; token++) {
    const [from, to] = [token * routing.topK, (token + 1) * routing.topK]
    experts.set(routing.experts.subarray(from, from + before), token * topK)
    experts.set(routing.experts.subarray(from + before, to), token * topK + own)
    weights.set(routing.weights.subarray(from, from + before), token * topK) // fillers weigh 0
  }
  return { ...routing, topK, experts, weights }
}

/** The routing without what fills its rows up for a fixed shape: a filler is no expert of its token. */
export function withoutFillers(routing: Routing): Routing {
  if (routing.ownSlots === undefined) return routing // and its scores are not read, which may make them
  const { fillers, ownSlots, ...padded } = routing
  const own = <A extends Int32Array | Float32Array>(rows: A): A =>
    rows.filter((_, slot) => slot % routing.topK < ownSlots) as A
  return { ...padded, topK: ownSlots, experts: own(routing.experts), weights: own(routing.weights) }
}

/**
 * Several routings, one or more, as if their tokens had been one batch: rows as wide as the widest, scores and shared weights
 * if all tell them.
 */
export function joinRoutings(parts: readonly Routing[]): Routing {
  if (parts.length === 1) return parts[0]
  const own = parts.reduce((most, part) => Math.max(most, ownSlotsOf(part)), 0)
  const topK = parts.reduce((most, part) => Math.max(most, own + part.topK - ownSlotsOf(part)), 0)
  const rows = parts.map((part) => widen(part, topK, own))
  const ifTold = (name: 'scores' | 'sharedWeights') => {
    const told = rows.flatMap((row) => row[name] ?? [])
    return told.length === rows.length && { [name]: concatenate(told) }
  }
  const filled = rows.flatMap(({ fillers }) => fillers ?? [])
  return {
    tokens: sum(rows.map(({ tokens }) => tokens)),
    topK,
    numExperts: rows[0].numExperts,
    experts: concatenate(rows.map(({ experts }) => experts)),
    weights: concatenate(rows.map(({ weights }) => weights)),
    dropped: sum(rows.map(({ dropped }) => dropped)),
    ...ifTold('scores'),
    ...ifTold('sharedWeights'),
    ...(filled.length > 0 && { fillers: sumOf(filled), ownSlots: own }),
  }
}

function sumOf([first, ...others]: readonly Int32Array[]): Int32Array {
  const total = first.slice()
  for (const more of others) addTo(total, more)
  return total
}
