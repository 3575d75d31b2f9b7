import { demand } from '../errors.js'
import { heaviestFirst } from './balanced-packing.js'
import { groupWeights } from './by-node.js'
import { resolveCluster } from './cluster.js'
import { exactPacking, isLess } from './exact-packing.js'
import { placementOf } from './placement-of.js'
import type { Cluster, Placement } from './protocol.js'
import { rankLoads } from './rank-loads.js'
import { placeBySearch } from './search.js'
import { packSums } from './swaps.js'

const mostSlots = 16

/**
 * The placement with the lightest busiest rank there is, by trying all: which groups share a node, how many replicas each
 * expert gets, which of them share a rank; a branch that cannot beat the best so far is left. For small cases, to measure
 * what a policy leaves on the table: at most 16 slots. Starts from `placeBySearch`, and returns that if none is better.
 *
 * Loads are float64. Throws an InputError on more slots, and as `placeExperts` does.
 */
export function placeExactly(load: ArrayLike<number>, cluster: Cluster): Placement {
  const { replicas, ranks, nodes, groups } = resolveCluster('placeExactly', load, cluster)
  const remedy = 'Use placeBySearch: the time grows without bound.'
  demand(replicas <= mostSlots, `placeExactly: replicas must be at most ${mostSlots}`, replicas, remedy)
  const start = placeBySearch(load, cluster)
  const size = load.length / groups
  const expertsOf = (own: number[]): number[] =>
    own.flatMap((group) => Array.from({ length: size }, (_, i) => group * size + i))
  let least = Math.max(...rankLoads(load, start, ranks))
  let best = start.experts
  const sums = groupWeights(Float64Array.from(load), groups)
  for (const homes of partitions(sums, nodes, (sum) => isLess((sum * nodes) / ranks, least))) {
    let peak = 0
    const slots: number[] = []
    for (const own of homes) {
      const node = exactNode(expertsOf(own), load, replicas / nodes, ranks / nodes, least)
      if (node === undefined) break
      slots.push(...node.experts)
      peak = Math.max(peak, node.peak)
    }
    if (slots.length < replicas) continue
    best = Int32Array.from(slots)
    least = peak
  }
  return placementOf(best, load.length)
}

/**
 * Every way to put items into `parts` parts of one size, heaviest item first, in which each part's sum may stay; parts are
 * alike, so of empty ones only the first is tried. `mayStay` may become stricter meanwhile.
 */
function* partitions(
  weights: Float64Array,
  parts: number,
  mayStay: (sum: number) => boolean,
): Generator<number[][]> {
  const order = heaviestFirst(weights)
  const size = weights.length / parts
  const homes: number[][] = Array.from({ length: parts }, () => [])
  const sumOf = (home: number[]): number => home.reduce((sum, item) => sum + weights[item], 0)
  function* put(next: number): Generator<number[][]> {
    if (next === order.length) return void (yield homes)
    for (const home of homes) {
      if (home.length === size) continue
      home.push(order[next])
      if (mayStay(sumOf(home))) yield* put(next + 1)
      home.pop()
      if (home.length === 0) return
    }
  }
  yield* put(0)
}

/** The best slots of a node for these experts, if its busiest rank is lighter than `limit`. */
function exactNode(
  experts: readonly number[],
  load: ArrayLike<number>,
  slots: number,
  ranks: number,
  limit: number,
): { experts: number[]; peak: number } | undefined {
  let best: { experts: number[]; peak: number } | undefined
  let least = limit
  const replicas: number[] = []
  const shares: number[] = []
  const count = (next: number): void => {
    if (next === experts.length) {
      if (replicas.length < slots) return
      const weights = Float64Array.from(shares)
      const pack = exactPacking(weights, ranks, least)
      if (pack === undefined) return
      least = Math.max(...packSums(weights, pack, ranks))
      const byRank = Array.from(pack.keys()).sort((a, b) => pack[a] - pack[b] || a - b)
      best = { experts: byRank.map((i) => replicas[i]), peak: least }
      return
    }
    const weight = load[experts[next]]
    const room = slots - replicas.length - (experts.length - next - 1)
    const kept = replicas.length
    for (let n = 1; n <= room; n++) {
      if (!isLess(weight / n, least)) continue
      for (let i = 0; i < n; i++) {
        replicas.push(experts[next])
        shares.push(weight / n)
      }
      count(next + 1)
      replicas.length = kept
      shares.length = kept
    }
  }
  count(0)
  return best
}
