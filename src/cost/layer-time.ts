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
export const noOverlap: Overlap = ({
  denseSeconds,
  dispatchSeconds,
  expertSeconds,
  combineSeconds,
  sharedSeconds,
}) => denseSeconds + dispatchSeconds + expertSeconds + combineSeconds + sharedSeconds

/**
 * Shared experts run while tokens travel. Megatron-LM's moe-shared-expert-overlap. Left out: that both use the same
 * processors and memory.
 */
export const sharedExpertOverlap: Overlap = ({
  denseSeconds,
  dispatchSeconds,
  expertSeconds,
  combineSeconds,
  sharedSeconds,
}) => denseSeconds + expertSeconds + Math.max(sharedSeconds, dispatchSeconds + combineSeconds)

/**
 * Two halves of a batch take turns, one computing while the other travels (DeepSeek-V3, two-batch overlap): the longer of
 * computation and communication. A lower bound of the steady state; halves also read each expert twice, which is left out.
 */
export const twoBatchOverlap: Overlap = ({
  denseSeconds,
  dispatchSeconds,
  expertSeconds,
  combineSeconds,
  sharedSeconds,
}) => Math.max(denseSeconds + expertSeconds + sharedSeconds, dispatchSeconds + combineSeconds)
