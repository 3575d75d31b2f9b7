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

/** Tokens per expert, [E]: its sum is the number of filled slots, so that nothing is lost. */
export function loadOf(routing: Routing): Int32Array {
  const load = new Int32Array(routing.numExperts)
  for (const expert of routing.experts) if (expert >= 0) load[expert]++
  return load
}
