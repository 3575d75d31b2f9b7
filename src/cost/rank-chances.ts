import { placementOf } from '../placement/placement-of.js'
import type { Placement } from '../placement/protocol.js'
import type { ExpertChoices } from '../router/choices.js'
import { addDraw, noDraws, ownChances } from './conditional-poisson.js'
import { fullWeight, type GroupLimit, limitedWeight } from './group-limit.js'

/** Each expert once, in their order. */
export const inOrder = (numExperts: number): Placement =>
  placementOf(
    Int32Array.from({ length: numExperts }, (_, e) => e),
    numExperts,
  )

/**
 * [R] the chance that a token needs each rank, of tokens that choose `topK` experts by conditional Poisson sampling, each in
 * its share [E], within the limit of groups, and any of an expert's copies by lot.
 */
export function rankChances(
  shares: Float64Array,
  topK: number,
  limit: GroupLimit,
  { experts, replicaCount }: Placement,
  ranks: number,
): Float64Array {
  const { numGroups, topGroups } = limit
  const own = ownChances(shares, topK, limit)
  const groupOf = (e: number): number => Math.floor((e * numGroups) / shares.length)
  const width = experts.length / ranks
  const found = new Float64Array(ranks)
  // Experts that stand on none of a run of ranks are drawn once for all of them, in `elsewhere`, and the run is halved: the
  // work grows with the logarithm of the ranks.
  const halve = (first: number, end: number, elsewhere: readonly Float64Array[]): void => {
    const middle = (first + end) >> 1
    const inRun = new Set(experts.subarray(first * width, end * width))
    for (const [from, to] of [
      [first, middle],
      [middle, end],
    ]) {
      const inHalf = new Set(experts.subarray(from * width, to * width))
      const taken = elsewhere.map((draws) => draws.slice())
      for (const e of inRun) if (!inHalf.has(e)) addDraw(taken[groupOf(e)], own[e])
      visit(from, to, taken)
    }
  }
  const visit = (first: number, end: number, elsewhere: readonly Float64Array[]): void => {
    if (end - first > 1) halve(first, end, elsewhere)
    else found[first] = chanceOfAny(experts.subarray(first * width, end * width), elsewhere)
  }
  /** That some of `topK` draws go to these slots, others being of `elsewhere` [G][K + 1]. */
  const chanceOfAny = (slots: Int32Array, elsewhere: readonly Float64Array[]): number => {
    const all = elsewhere.map((draws) => draws.slice())
    const missed = elsewhere.map((draws) => draws.slice())
    const copies = new Map<number, number>()
    for (const e of slots) copies.set(e, (copies.get(e) ?? 0) + 1)
    for (const [e, here] of copies) {
      addDraw(all[groupOf(e)], own[e])
      addDraw(missed[groupOf(e)], own[e], 1 - here / replicaCount[e]) // of its draws, those that go to other ranks
    }
    const full = fullWeight(all, topGroups)
    const weight = limitedWeight(all, topGroups, full)
    return (weight - limitedWeight(missed, topGroups, full)) / weight
  }
  visit(
    0,
    ranks,
    Array.from({ length: numGroups }, () => noDraws(topK)),
  )
  return found
}

/** [R] the same of fair routing, of experts in their order. */
export function fairRankChances(
  { numExperts, topK }: ExpertChoices,
  limit: GroupLimit,
  ranks: number,
): Float64Array {
  const shares = new Float64Array(numExperts).fill(topK / numExperts)
  return rankChances(shares, topK, limit, inOrder(numExperts), ranks)
}
