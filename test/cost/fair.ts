import type { Draws, Routing } from 'moesim'

/** Every token chooses K of E experts, each set with the same chance. */
export function fair(draws: Draws, tokens: number, numExperts: number, topK: number): Routing {
  const deck = Int32Array.from({ length: numExperts }, (_, e) => e)
  const experts = new Int32Array(tokens * topK)
  for (let slot = 0; slot < experts.length; slot++) {
    const k = slot % topK
    const other = k + draws.below(numExperts - k)
    const chosen = deck[other]
    deck[other] = deck[k]
    deck[k] = chosen
    experts[slot] = chosen
  }
  return { tokens, topK, numExperts, experts, weights: new Float32Array(experts.length), dropped: 0 }
}

/**
 * How far the mean of the samples is above `wanted`, in its standard errors. Of counts all alike it is 0 where one that was
 * off by 1 would move the mean by more.
 */
export function distance(wanted: number, samples: readonly number[]): number {
  const mean = samples.reduce((sum, x) => sum + x, 0) / samples.length
  const variance = samples.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (samples.length - 1)
  const off = mean - wanted
  if (Math.abs(off) < 1e-12 * wanted) return 0
  return variance === 0 && Math.abs(off) * samples.length < 1 ? 0 : off / Math.sqrt(variance / samples.length)
}

export const times = <T>(n: number, make: () => T): T[] => Array.from({ length: n }, make)
