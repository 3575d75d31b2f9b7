import type { Placement } from 'moesim'

/** [R] the chance that a token with this set of experts needs each rank: that some copy it is dealt by lot stands there. */
export function neededBy(set: readonly number[], placement: Placement, ranks: number): number[] {
  const { experts, replicaCount } = placement
  const width = experts.length / ranks
  return Array.from({ length: ranks }, (_, rank) => {
    const slots = [...experts.subarray(width * rank, width * (rank + 1))]
    const missed = set.map((e) => 1 - slots.filter((other) => other === e).length / replicaCount[e])
    return 1 - missed.reduce((product, other) => product * other, 1)
  })
}
