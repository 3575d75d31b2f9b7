import { demand, demandWhole } from '../errors.js'
import { demandMultiple } from '../model/demands.js'
import type { Routing } from '../router/routing.js'
import { hypergeometric, sum } from '../stats.js'
import { limitOf } from './group-limit.js'
import { fairRankChances } from './rank-chances.js'

/** Experts that stand in equal groups, one for each device or node. */
export interface GroupedExperts {
  readonly numExperts: number
  /** Experts of a token, a whole number. */
  readonly topK: number
  readonly groups: number
  /** Node-limited routing: a token may use so many groups; all unless given. */
  readonly topGroups?: number | undefined
  /** Groups of the router, in `topGroups` of which a token's experts lie, where these are not `groups`; 1 for none. */
  readonly numGroups?: number | undefined
}

/**
 * The expected number of groups that a token's K experts touch, each set with the same chance: G (1 − C(E − E/G, K) / C(E, K)).
 * DeepEP's get_expected_topk. Under a limit of M groups it is the mean of min(touched, M): a router that keeps the groups
 * with the best experts uses nearly all that it may. For DeepSeek-V3, 4 of 8 nodes: 3.98, counted on routings 3.96. Where
 * devices are not the router's groups, `numGroups`, tokens choose any set of those that touch M groups with the same chance.
 * DeepSeek-V3 on 16, 32 and 64 devices: 5.65, 6.79 and 7.46, within 1.5 % of the 5.72, 6.85 and 7.49 that were counted.
 * Left out: that real tokens want some groups, and some experts together, more than others.
 * Throws an InputError where groups are not equal.
 */
export function expectedGroupsTouched(grouped: GroupedExperts): number {
  const { groups, topK, size, topGroups, limit } = sizesOf('expectedGroupsTouched', grouped)
  if (limit) return sum(fairRankChances(grouped, limit, groups))
  if (topGroups < Math.min(groups, topK))
    return groupsTouchedChances(grouped).reduce((mean, chance, touched) => mean + chance * touched, 0)
  // A group is missed when none of K draws, or none of its own experts, hits: the shorter of two equal products.
  const [draws, marked] = size < topK ? [size, topK] : [topK, size]
  let hit = 0
  for (let i = 0; i < draws; i++) hit += (marked / (groups * size - i)) * (1 - hit)
  return groups * hit
}

const mostWork = 2 ** 31

/** [G + 1] the chance that a token's experts touch exactly so many groups, or that a limit makes them. Sums to 1. See `expectedGroupsTouched`. */
export function groupsTouchedChances(grouped: GroupedExperts): Float64Array {
  const who = 'groupsTouchedChances'
  const { groups, size, topK, topGroups, limit } = sizesOf(who, grouped)
  const own = `${who}: numGroups must be groups = ${groups}, or left out`
  demand(limit === undefined, own, grouped.numGroups, 'See expectedGroupsTouched for the mean of others.')
  const reach = Math.min(groups, topK)
  const work = groups * reach * topK * Math.min(size, topK)
  demand(
    work <= mostWork,
    `${who}: the groups times the square of topK must stay below 2^31`,
    work,
    'Count a routing of so many experts with groupsTouched.',
  )
  // chances[j][r]: j groups are touched so far, and r experts are left for the groups to come.
  let chances = Array.from({ length: reach + 1 }, () => new Float64Array(topK + 1))
  chances[0][topK] = 1
  for (let left = groups; left > 0; left--) {
    const next = chances.map(() => new Float64Array(topK + 1))
    for (let rest = 0; rest <= topK; rest++) {
      if (rest > left * size) continue // not reached: so many do not fit
      const { first, chance } = hypergeometric(left * size, size, rest)
      for (const [i, share] of chance.entries()) {
        const here = first + i
        for (const [touched, row] of chances.entries())
          if (row[rest] > 0) next[touched + (here > 0 ? 1 : 0)][rest - here] += row[rest] * share
      }
    }
    chances = next
  }
  const found = new Float64Array(groups + 1)
  for (const [touched, row] of chances.entries()) found[Math.min(touched, topGroups)] += row[0]
  return found
}

/** [T] how many groups the experts of each token touch; `expertGroup` [E] says where each expert stands. */
export function groupsTouched({ tokens, topK, experts }: Routing, expertGroup: Int32Array): Int32Array {
  const touched = new Int32Array(tokens)
  for (let token = 0; token < tokens; token++) {
    const row = experts.subarray(token * topK, (token + 1) * topK).filter((expert) => expert >= 0)
    touched[token] = new Set(row.map((expert) => expertGroup[expert])).size
  }
  return touched
}

/** Sizes that fit; `limit` is that of groups which are not those that are touched. */
function sizesOf(who: string, grouped: GroupedExperts) {
  const { numExperts, topK, groups, numGroups = groups } = grouped
  demandWhole(
    `${who}: numExperts`,
    numExperts,
    1,
    1 << 20,
    'It is the number of routed experts, such as 128.',
  )
  demandWhole(`${who}: groups`, groups, 1, numExperts, 'It is the number of devices or nodes.')
  demandMultiple(`${who}: numExperts`, numExperts, 'groups', groups, 'Groups are of one size.')
  const limit = numGroups === groups ? undefined : limitOf(who, grouped)
  const topGroups = limit ? groups : (grouped.topGroups ?? groups)
  demandWhole(`${who}: topGroups`, topGroups, 1, groups, 'It is how many of the groups a token may use.')
  const size = numExperts / groups
  demandWhole(`${who}: topK`, topK, 0, topGroups * size, 'The open groups hold only so many experts.')
  return { groups, size, topK, topGroups, limit: limit && limit.numGroups > 1 ? limit : undefined }
}
