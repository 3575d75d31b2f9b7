import { concatenate } from '../arrays.js'

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
}

/** A routing that tells its scores. */
export type ScoredRouting = Routing & Required<Pick<Routing, 'scores'>>

/** Tokens per expert, [E]: its sum is the number of filled slots, so that nothing is lost. */
export function loadOf(routing: Routing): Int32Array {
  const load = new Int32Array(routing.numExperts)
  for (const expert of routing.experts) if (expert >= 0) load[expert]++
  return load
}

/** The same routing in rows of `topK` slots, no fewer than it has; the new ones are empty. */
export function widen(routing: Routing, topK: number): Routing {
  const { tokens } = routing
  const experts = new Int32Array(tokens * topK).fill(-1)
  const weights = new Float32Array(tokens * topK)
  for (let token = 0; token < tokens; token++) {
    const [from, to] = [token * routing.topK, (token + 1) * routing.topK]
    experts.set(routing.experts.subarray(from, to), token * topK)
    weights.set(routing.weights.subarray(from, to), token * topK)
  }
  return { ...routing, topK, experts, weights }
}

/** Several routings, one or more, as if their tokens had been one batch: rows as wide as the widest, scores if all tell them. */
export function joinRoutings(parts: readonly Routing[]): Routing {
  const topK = parts.reduce((most, part) => Math.max(most, part.topK), 0)
  const rows = parts.map((part) => widen(part, topK))
  const told = rows.flatMap(({ scores }) => scores ?? [])
  return {
    tokens: rows.reduce((sum, { tokens }) => sum + tokens, 0),
    topK,
    numExperts: rows[0].numExperts,
    experts: concatenate(rows.map(({ experts }) => experts)),
    weights: concatenate(rows.map(({ weights }) => weights)),
    dropped: rows.reduce((sum, { dropped }) => sum + dropped, 0),
    ...(told.length === rows.length && { scores: concatenate(told) }),
  }
}
