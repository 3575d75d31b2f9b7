import { demand, demandNothingElse, demandWhole } from '../errors.js'
import { maxOverMean } from '../metrics/load.js'
import type { Placement } from '../placement/protocol.js'
import { rankLoads } from '../placement/rank-loads.js'
import { mean, sum } from '../stats.js'
import { type GroupLimit, limitOf } from './group-limit.js'
import { inOrder, rankChances } from './rank-chances.js'

/** Where the experts of measured layers stand. */
export interface ExpertsOnRanks {
  /** K, how many experts a token chooses. */
  readonly topK: number
  /** R, which share the slots of a layer evenly. */
  readonly ranks: number
  /** Groups of the router, and how many of them a token may use; no groups unless given. */
  readonly numGroups?: number | undefined
  readonly topGroups?: number | undefined
  /** Of each layer, all of as many slots; experts once and in their order unless given. */
  readonly placements?: readonly Placement[] | undefined
}

/** What one layer's load makes of its ranks. */
export interface LayerOnRanks {
  /** [R] the load of each rank's slots. */
  readonly load: Float64Array
  /** [R] the chance that a token needs the rank: a vector goes there, and one comes back. */
  readonly chances: Float64Array
  /** [P] the chance that a token goes to the slot; together K. */
  readonly slotChances: Float64Array
}

/** Measured loads of layers that are alike, on the ranks where their experts stand; ratios are means over the layers. */
export interface LoadsOnRanks {
  readonly numExperts: number
  readonly topK: number
  readonly ranks: number
  /** The limit of groups that tokens keep to; 1 and 1 without one. */
  readonly numGroups: number
  readonly topGroups: number
  /** P, of all ranks together. */
  readonly slots: number
  readonly layers: readonly LayerOnRanks[]
  /** Ranks that a token needs, its own among them. */
  readonly ranksPerToken: number
  /** Largest over mean load of the ranks. */
  readonly stragglerFactor: number
  /** Largest over mean of the vectors that ranks get of a dispatch, and send in the combine. */
  readonly busiestPort: number
}

/**
 * Loads [E] of one layer each on the ranks where its experts stand. A load of no tokens is taken as fair.
 *
 * A vector travels once for each token and rank, so how often a rank is needed depends on which experts tokens choose
 * together, which a load does not tell. They are taken to choose as randomly as the load allows: by `topK` draws without
 * replacement that have its shares (conditional Poisson sampling), the same for each token wherever it is, and by lot between
 * the copies of an expert. Equal loads give `expectedGroupsTouched` exactly. Of routers whose logits have a bias of each
 * expert and independent noise, a rank's chance is within 0.01 and their sum within 0.5 %; of a recorded trace of real text
 * the busiest of 2 to 64 ranks is within 6 %, the sum within 1.5 %. Left out: experts that tokens want together, tokens of a
 * rank that route alike, and what chance adds in small batches.
 *
 * With `topGroups` M of `numGroups` groups they choose as randomly as the load and the limit allow: by the same draws, of which
 * those that would touch more than M groups are drawn anew until they touch M. How often a group is kept thus follows from the
 * shares of its experts alone, all of which are as measured: what experts of one group have in common is taken to be no more
 * than the limit makes of them. Of independent noise and a bias of each expert, of a standard deviation up to 2, for the routers
 * of DeepSeek-V2 and V3, on 2 to 32 ranks, in order or placed by load: a rank's chance is within 0.04, the busiest within 4 %,
 * their sum within 2 %. Of a bias of whole groups, which balancing of the load would remove: within 0.05, 6 % and 3.5 %.
 *
 * Throws an InputError on loads that are none of `topK` different experts a token, or of more groups than a token may use, and
 * on placements of other experts or ranks.
 */
export function loadsOnRanks(loads: readonly ArrayLike<number>[], setup: ExpertsOnRanks): LoadsOnRanks {
  const { topK, ranks, numGroups, topGroups, placements, ...rest } = setup
  demandNothingElse(`${who}: the setup`, rest)
  demandWhole(`${who}: the number of loads`, loads.length, 1, 1 << 16, 'Give one a layer.')
  const each = `${who}: every load must be an array of its own, a value for each expert`
  demand(typeof loads[0] === 'object', each, loads[0], 'Put the load of a single layer in an array.')
  const numExperts = loads[0].length
  demandWhole(`${who}: the number of experts`, numExperts, 1, 1 << 20, 'Give the load of each expert.')
  demandWhole(`${who}: topK`, topK, 1, numExperts, 'It is how many experts a token chooses.')
  const work = numExperts * topK
  demand(
    work <= mostWork,
    `${who}: experts times topK must be at most 2^24`,
    work,
    'Count a routing of so many.',
  )
  const limit = limitOf(who, { numExperts, topK, numGroups, topGroups })
  demandPlacements(loads.length, numExperts, setup)
  const standing = placements ?? new Array<Placement>(loads.length).fill(inOrder(numExperts))
  const layers = loads.map((load, layer) => {
    const same = `${who}: every load must hold ${numExperts} values`
    demand(load.length === numExperts, same, load.length, 'Layers are alike.')
    const shares = sharesOf(load, topK, layer)
    demandWithin(limit, shares, topK, layer)
    return layerOnRanks(shares, load, { topK, ranks, limit }, standing[layer])
  })
  return {
    numExperts,
    topK,
    ranks,
    ...limit,
    slots: standing[0].experts.length,
    layers,
    ranksPerToken: mean(layers.map(({ chances }) => sum(chances))),
    stragglerFactor: mean(layers.map(({ load }) => maxOverMean(load))),
    busiestPort: mean(layers.map(({ chances }) => maxOverMean(chances))),
  }
}

const who = 'loadsOnRanks'
const mostWork = 2 ** 24
const mostLoad = 1e300 // its products with K and with E are numbers, too

/** Placements of so many layers, of these experts, whose slots the ranks share evenly. */
function demandPlacements(layers: number, numExperts: number, { ranks, placements }: ExpertsOnRanks): void {
  const { length: given } = placements ?? { length: layers }
  const each = `${who}: there must be ${layers} placements, one a load`
  demand(given === layers, each, given, 'Give one a layer, in the order of the loads.')
  const slots = placements ? placements[0].experts.length : numExperts
  for (const { experts, replicaCount } of placements ?? []) {
    const own = `${who}: every placement must be of the ${numExperts} experts of the loads`
    demand(replicaCount.length === numExperts, own, replicaCount.length, 'Place these loads.')
    const alike = `${who}: every placement must have ${slots} slots`
    demand(experts.length === slots, alike, experts.length, 'Layers share one cluster.')
  }
  demandWhole(`${who}: ranks`, ranks, 1, slots, 'Each rank has a slot.')
  const evenly = `${who}: ranks must divide the ${slots} slots`
  demand(slots % ranks === 0, evenly, ranks, 'Ranks hold equally many.')
}

/** [E] the share of tokens that choose each expert. */
function sharesOf(load: ArrayLike<number>, topK: number, layer: number): Float64Array {
  const counts = Float64Array.from(load)
  const total = sum(counts)
  const odd = total <= mostLoad ? counts.find((count) => !(count >= 0)) : total
  const rule = `${who}: the values of loads[${layer}] must be at least 0, and their sum at most 1e300`
  demand(odd === undefined, rule, odd, 'They are how many tokens each expert has.')
  if (total === 0) return counts.fill(topK / counts.length)
  const shares = counts.map((count) => (topK * count) / total)
  const most = shares.reduce((a, b) => Math.max(a, b))
  const once = `${who}: expert ${shares.indexOf(most)} of loads[${layer}] must have no more than one in ${topK} choices`
  demand(most < 1 + 1e-9, once, most / topK, 'A token chooses it once: name the model that was measured.')
  return shares.map((share) => Math.min(share, 1))
}

/** Refuses shares that tokens cannot have within a limit: a group is kept as often as its busiest expert, and a Kth of its load. */
function demandWithin(
  { numGroups, topGroups }: GroupLimit,
  shares: Float64Array,
  topK: number,
  layer: number,
): void {
  const size = shares.length / numGroups
  let kept = 0
  for (let group = 0; group < numGroups; group++) {
    const own = shares.subarray(group * size, (group + 1) * size)
    kept += own.reduce((a, b) => Math.max(a, b), sum(own) / topK)
  }
  const rule = `${who}: tokens of loads[${layer}] must need no more than ${topGroups} of ${numGroups} groups each`
  demand(kept <= topGroups * (1 + 1e-9), rule, kept, 'Name the model that was measured.')
}

function layerOnRanks(
  shares: Float64Array,
  load: ArrayLike<number>,
  { topK, ranks, limit }: { readonly topK: number; readonly ranks: number; readonly limit: GroupLimit },
  placement: Placement,
): LayerOnRanks {
  const { experts, replicaCount } = placement
  return {
    load: rankLoads(load, placement, ranks),
    chances: rankChances(shares, topK, limit, placement, ranks),
    slotChances: Float64Array.from(experts, (e) => shares[e] / replicaCount[e]),
  }
}
