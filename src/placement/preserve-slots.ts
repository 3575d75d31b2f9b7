import { slotsPerRank } from './migration.js'
import type { Placement } from './protocol.js'

/** A way to arrange a new placement so that less moves: same experts together, other slots or ranks. */
export type Arrangement = (
  before: Placement,
  after: Placement,
  cluster: { readonly ranks: number; readonly nodes: number },
) => Placement

/**
 * Within each rank, an expert that was there keeps its slot; the others take the slots that are left, in their order. No
 * rank gets other experts. Source: the idea of vLLM's `preserve_intragpu_slots`. Throws an InputError on placements of
 * different sizes, and ranks that do not divide the slots.
 */
export function preserveSlots(
  before: Placement,
  after: Placement,
  { ranks }: { readonly ranks: number },
): Placement {
  const slots = slotsPerRank('preserveSlots', before, after, ranks)
  const from = new Int32Array(before.experts.length)
  for (let first = 0; first < from.length; first += slots) {
    const waiting = Array.from({ length: slots }, (_, i) => first + i)
    const free: number[] = []
    for (let slot = first; slot < first + slots; slot++) {
      const stays = waiting.findIndex((i) => after.experts[i] === before.experts[slot])
      if (stays < 0) free.push(slot)
      else [from[slot]] = waiting.splice(stays, 1)
    }
    free.forEach((slot, i) => {
      from[slot] = waiting[i]
    })
  }
  return rearranged(after, from)
}

/** The placement whose slot i is slot `from[i]` of another. */
export function rearranged({ experts, replicaRank, replicaCount }: Placement, from: Int32Array): Placement {
  return {
    experts: from.map((slot) => experts[slot]),
    replicaRank: from.map((slot) => replicaRank[slot]),
    replicaCount,
  }
}
