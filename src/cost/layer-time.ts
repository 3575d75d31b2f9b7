/** What a mixture-of-experts layer waits for. */
export interface LayerSeconds {
  /** What comes before the dispatch: attention, the router. */
  readonly denseSeconds: number
  readonly dispatchSeconds: number
  readonly expertSeconds: number
  readonly combineSeconds: number
  /** Shared experts, which need no other rank. */
  readonly sharedSeconds: number
}

/** How the parts of a layer add up; one of your own is a function. */
export type Overlap = (parts: LayerSeconds) => number

/** One after another. */
export const noOverlap: Overlap = (of) =>
  of.denseSeconds + of.dispatchSeconds + of.expertSeconds + of.combineSeconds + of.sharedSeconds

/**
 * Shared experts run while tokens travel. Megatron-LM's moe-shared-expert-overlap. Left out: that both use the same
 * processors and memory.
 */
export const sharedExpertOverlap: Overlap = (of) =>
  of.denseSeconds + of.expertSeconds + Math.max(of.sharedSeconds, of.dispatchSeconds + of.combineSeconds)

/**
 * Two halves of a batch take turns, one computing while the other travels (DeepSeek-V3, two-batch overlap): the longer of
 * computation and communication. A lower bound of the steady state; halves also read each expert twice, which is left out.
 */
export const twoBatchOverlap: Overlap = (of) =>
  Math.max(of.denseSeconds + of.expertSeconds + of.sharedSeconds, of.dispatchSeconds + of.combineSeconds)
