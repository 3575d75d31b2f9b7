import type { Placement } from '../placement/protocol.js'
import { addDraw, noDraws, ownChances } from './conditional-poisson.js'

/**
 * [R] the chance that a token needs each rank, of tokens that choose `topK` experts by conditional Poisson sampling, each in
 * its share [E], and any of an expert's copies by lot.
 */
export function rankChances(
  shares: Float64Array,
  topK: number,
  { experts, replicaCount }: Placement,
  ranks: number,
): Float64Array {
  const own = ownChances(shares, topK)
  const width = experts.length / ranks
  const found = new Float64Array(ranks)
  // Experts that stand on none of a run of ranks are drawn once for all of them, in `elsewhere`, and the run is halved: the
  // work grows with the logarithm of the ranks.
  const halve = (first: number, end: number, elsewhere: Float64Array): void => {
    const middle = (first + end) >> 1
    const inRun = new Set(experts.subarray(first * width, end * width))
    for (const [from, to] of [
      [first, middle],
      [middle, end],
    ]) {
      const inHalf = new Set(experts.subarray(from * width, to * width))
      const taken = elsewhere.slice()
      for (const e of inRun) if (!inHalf.has(e)) addDraw(taken, own[e])
      visit(from, to, taken)
    }
  }
  const visit = (first: number, end: number, elsewhere: Float64Array): void => {
    if (end - first > 1) halve(first, end, elsewhere)
    else found[first] = chanceOfAny(experts.subarray(first * width, end * width), elsewhere)
  }
  /** That some of `topK` draws go to these slots, others being of `elsewhere`. */
  const chanceOfAny = (slots: Int32Array, elsewhere: Float64Array): number => {
    const all = elsewhere.slice()
    const missed = elsewhere.slice()
    const copies = new Map<number, number>()
    for (const e of slots) copies.set(e, (copies.get(e) ?? 0) + 1)
    for (const [e, here] of copies) {
      addDraw(all, own[e])
      addDraw(missed, own[e], 1 - here / replicaCount[e]) // of its draws, those that go to other ranks
    }
    return (all[topK] - missed[topK]) / all[topK]
  }
  visit(0, ranks, noDraws(topK))
  return found
}
