import { demandWhole } from '../errors.js'
import { balancedPacking } from './balanced-packing.js'
import { leastPeak } from './bound.js'
import { groupWeights, placeByNode } from './by-node.js'
import { resolveCluster } from './cluster.js'
import { packReplicas } from './place.js'
import { placementOf } from './placement-of.js'
import type { Cluster, Packing, Placement } from './protocol.js'
import { rankLoads } from './rank-loads.js'
import { exchangeItems, largest, packSums } from './swaps.js'

/**
 * Local search from EPLB's answer, never worse than it: replicas are exchanged between ranks as long as the busiest rank
 * gets lighter; then a spare slot is taken from one expert and given to another that stands on the busiest rank, and all
 * is packed anew; until neither helps. Groups go to nodes as EPLB puts them and as exchanges improve that, whichever comes
 * out better. Deterministic, no optimum: `placeExactly` measures the gap for small cases.
 *
 * Loads are float64 here. About ten times the time of EPLB (58 layers of 256 experts on 32 ranks in 0.1 s), and up to a
 * second a layer where ranks are many and have a few slots each.
 * Throws an InputError as `placeExperts` does.
 */
export function placeBySearch(load: ArrayLike<number>, cluster: Cluster): Placement {
  const sizes = resolveCluster('placeBySearch', load, cluster)
  const remedy = 'Use placeExperts: the time of a search grows with their square.'
  demandWhole('placeBySearch: replicas', sizes.replicas, 1, 1 << 14, remedy)
  const weights = Float64Array.from(load)
  const sums = groupWeights(weights, sizes.groups)
  const homes = balancedPacking(Float32Array.from(sums), sizes.nodes)
  const exchanged = exchangeItems(sums, homes.pack, sizes.nodes)
  const peak = (placement: Placement): number => Math.max(...rankLoads(load, placement, sizes.ranks))
  const first = placeByNode(weights, sizes, homes, searchNode)
  const second = placeByNode(weights, sizes, packingOf(exchanged, sizes.nodes), searchNode)
  return peak(second) < peak(first) ? second : first
}

/** Positions in the order of the items. */
function packingOf(pack: Int32Array, packs: number): Packing {
  const filled = new Int32Array(packs)
  return { pack, position: pack.map((p) => filled[p]++) }
}

/** One node's replicas: how many of each expert, the expert of each and the rank it is on; `peak` is of the busiest rank. */
interface Layout {
  readonly counts: Int32Array
  readonly experts: Int32Array
  readonly pack: Int32Array
  readonly sums: Float64Array
  readonly peak: number
}

// No placement of this node is better by more than a thousandth: counts of tokens shake by more than that.
const closeEnough = 1.001

function searchNode(weights: Float64Array, slots: number, ranks: number): Placement {
  const start = packReplicas(Float32Array.from(weights), slots, ranks)
  const pack = Int32Array.from({ length: slots }, (_, slot) => Math.floor((slot * ranks) / slots))
  const enough = leastPeak(weights, slots, ranks) * closeEnough
  let best = improved(weights, start.replicaCount, start.experts, pack, ranks)
  while (best.peak > enough) {
    const better = withAnotherCount(weights, best, ranks)
    if (better === undefined) break
    best = better
  }
  const byRank = Int32Array.from(best.pack.keys()).sort((a, b) => best.pack[a] - best.pack[b] || a - b)
  return placementOf(
    byRank.map((i) => best.experts[i]),
    weights.length,
  )
}

function improved(
  weights: Float64Array,
  counts: Int32Array,
  experts: Int32Array,
  pack: Int32Array,
  ranks: number,
): Layout {
  const shares = Float64Array.from(experts, (e) => weights[e] / counts[e])
  const exchanged = exchangeItems(shares, pack, ranks)
  const sums = packSums(shares, exchanged, ranks)
  return { counts, experts, pack: exchanged, sums, peak: sums[largest(sums)] }
}

/** The first layout with a lower peak that one slot given from an expert to another makes. */
function withAnotherCount(
  weights: Float64Array,
  { counts, experts, pack, sums, peak }: Layout,
  ranks: number,
): Layout | undefined {
  const busiest = largest(sums)
  const share = (e: number, less: number): number => weights[e] / (counts[e] - less)
  const takers = [...new Set(experts.filter((_, i) => pack[i] === busiest))]
  takers.sort((a, b) => share(b, 0) - share(a, 0) || a - b)
  const givers = [...counts.keys()].filter((e) => counts[e] > 1 && share(e, 1) < peak)
  givers.sort((a, b) => share(a, 1) - share(b, 1) || a - b)
  for (const taker of takers) {
    for (const giver of givers) {
      if (giver === taker) continue
      const layout = packedAnew(weights, counts, giver, taker, ranks)
      if (layout.peak < peak * (1 - 1e-12)) return layout
    }
  }
  return undefined
}

function packedAnew(
  weights: Float64Array,
  before: Int32Array,
  giver: number,
  taker: number,
  ranks: number,
): Layout {
  const counts = before.slice()
  counts[giver]--
  counts[taker]++
  const experts = Int32Array.from([...counts].flatMap((count, e) => new Array<number>(count).fill(e)))
  const shares = Float64Array.from(experts, (e) => weights[e] / counts[e])
  return improved(weights, counts, experts, balancedPacking(shares, ranks).pack, ranks)
}
