import { demand, demandWhole } from '../errors.js'
import type { Placement } from './protocol.js'

/** What it takes to get from one placement to another. */
export interface Migration {
  /** Slots that get another expert, and the bytes of weights written into them. */
  readonly movedReplicas: number
  readonly movedBytes: number
  /** Those of them whose expert stood in no slot of their rank, and the bytes that come from another rank. */
  readonly receivedReplicas: number
  readonly receivedBytes: number
}

/**
 * Counts the replicas that move between two placements of the same slots. `expertBytes` is what one expert's weights of
 * this layer take. Counts bytes only: not the time, nor the second buffer that an engine may copy through. Throws an
 * InputError on placements of different sizes, ranks that do not divide the slots, and bytes below 0.
 */
export function migrationOf(
  before: Placement,
  after: Placement,
  { ranks, expertBytes }: { readonly ranks: number; readonly expertBytes: number },
): Migration {
  const slots = slotsPerRank('migrationOf', before, after, ranks)
  const bytes = 'Count those of its weights.'
  demand(
    expertBytes >= 0 && expertBytes < Infinity,
    'migrationOf: expertBytes must be at least 0',
    expertBytes,
    bytes,
  )
  let movedReplicas = 0
  let receivedReplicas = 0
  after.experts.forEach((e, slot) => {
    if (e === before.experts[slot]) return
    movedReplicas++
    const first = slot - (slot % slots)
    if (!before.experts.subarray(first, first + slots).includes(e)) receivedReplicas++
  })
  return {
    movedReplicas,
    movedBytes: movedReplicas * expertBytes,
    receivedReplicas,
    receivedBytes: receivedReplicas * expertBytes,
  }
}

/** P / R of two placements, which must be alike in it. */
export function slotsPerRank(name: string, before: Placement, after: Placement, ranks: number): number {
  const { length } = before.experts
  demand(
    after.experts.length === length,
    `${name}: both placements must have ${length} slots`,
    after.experts,
    'Place the same experts in the same cluster.',
  )
  demandWhole(`${name}: ranks`, ranks, 1, length, 'Each rank has a slot.')
  demand(
    length % ranks === 0,
    `${name}: ranks must divide the ${length} slots`,
    ranks,
    'Use the cluster’s own.',
  )
  return length / ranks
}
