import { demand, demandWhole } from '../errors.js'
import { demandMultiple } from '../model/demands.js'
import type { ExpertChoices } from '../router/choices.js'
import { binomial, sum } from '../stats.js'

/**
 * Group-limited routing as far as traffic sees it: which sets of experts a token may have, and how often.
 *
 * A router without groups gives each set of K experts the same chance where it is fair. One that keeps the groups with the
 * best experts gives a token that would touch more than M of them K experts of M instead: those that would touch fewer are as
 * they were, and the others touch M. So it is exactly where a group's score is its best expert's (DeepSeek-V2), and within
 * 0.5 % where it is the sum of its two best (DeepSeek-V3). Of all such laws it is taken to be the most random one: of sets that
 * touch M groups each has the same chance. Real ones are a little more even in how many experts a kept group gives, as it is
 * kept for having good ones: see `expectedGroupsTouched` for how near that is.
 */

/** Contiguous groups of one size, in `topGroups` of which a token's experts lie; 1 and 1 where nothing limits them. */
export interface GroupLimit {
  readonly numGroups: number
  readonly topGroups: number
}

/** What a limit is asked of: a router's sizes, of which groups may be absent. */
export interface LimitedChoices extends ExpertChoices {
  readonly numGroups?: number | undefined
  readonly topGroups?: number | undefined
}

/** The limit that a router's groups are: none where a token may use all of them, or as many as it has experts. */
export function limitOf(
  who: string,
  { numExperts, topK, numGroups = 1, topGroups = numGroups }: LimitedChoices,
): GroupLimit {
  demandWhole(`${who}: numGroups`, numGroups, 1, numExperts, 'Use 1 for a router without groups.')
  demandMultiple(`${who}: numExperts`, numExperts, 'numGroups', numGroups, 'Groups are of one size.')
  demandWhole(`${who}: topGroups`, topGroups, 1, numGroups, 'It is how many of the groups a token may use.')
  if (topGroups >= Math.min(numGroups, topK)) return { numGroups: 1, topGroups: 1 }
  const most = topGroups * (numExperts / numGroups)
  demandWhole(`${who}: topK`, topK, 1, most, 'The kept groups hold only so many experts.')
  const work = numGroups * topGroups * topK * topK
  const few = `${who}: numGroups times topGroups times the square of topK must be at most 2^18`
  demand(work <= mostWork, few, work, 'Count a routing of so many.')
  return { numGroups, topGroups }
}

const mostWork = 2 ** 18 // beyond it chances might come near the smallest of numbers

/**
 * How often sets that touch M groups, all that a token may, count for each that touches fewer: so often that all that would
 * touch more touch M instead. `groups` [G][K + 1] are the chances of so many draws of each group.
 */
export function fullWeight(groups: readonly Float64Array[], topGroups: number): number {
  const width = groups[0].length
  return fullOf(groups.reduce(touchOne, untouched(width, topGroups)), width)
}

/** The same of the chances [M + 2, K + 1] of what all groups together touch. */
function fullOf(touched: Float64Array, width: number): number {
  const over = touched[touched.length - 1]
  return over > 0 ? 1 + over / touched[touched.length - 1 - width] : 1
}

/** The weight of all sets of K draws within the limit, where those that touch M groups count `full` times. */
export function limitedWeight(groups: readonly Float64Array[], topGroups: number, full: number): number {
  const width = groups[0].length
  const touched = groups.reduce(touchOne, untouched(width, topGroups))
  let weight = full * touched[topGroups * width + width - 1]
  for (let t = 0; t < topGroups; t++) weight += touched[t * width + width - 1]
  return weight
}

/** [G][K + 1] the weight of all that the other groups may draw where one has so many draws. */
export function weightsBeside(groups: readonly Float64Array[], topGroups: number): Float64Array[] {
  const width = groups[0].length
  const before = [untouched(width, topGroups)]
  for (const draws of groups) before.push(touchOne(before[before.length - 1], draws))
  let after = lastWeights(before[groups.length], width)
  const beside: Float64Array[] = groups.map(() => new Float64Array(width))
  for (let group = groups.length - 1; group >= 0; group--) {
    addPairs(before[group], after, beside[group])
    after = touchBefore(after, groups[group])
  }
  return beside
}

/** E[n (n − 1)] of the experts n that a token has in one group, of fair routing: in how many ordered pairs of them. */
export function pairsInGroup(
  { numExperts, topK }: ExpertChoices,
  { numGroups, topGroups }: GroupLimit,
): number {
  const draws = new Float64Array(topK + 1)
  const { first, chance } = binomial(numExperts / numGroups, topK / numExperts)
  for (const [i, share] of chance.entries()) if (first + i <= topK) draws[first + i] = share
  const [beside] = weightsBeside(new Array<Float64Array>(numGroups).fill(draws), topGroups)
  const weights = draws.map((share, n) => share * beside[n])
  return sum(weights.map((weight, n) => weight * n * (n - 1))) / sum(weights)
}

/**
 * [M + 2, K + 1] the chances that so many groups have so many draws together, of no groups; the last row is of all that
 * touch more than M.
 */
function untouched(width: number, topGroups: number): Float64Array {
  const touched = new Float64Array((topGroups + 2) * width)
  touched[0] = 1
  return touched
}

/** The same of one group more, whose draws are [K + 1]. */
function touchOne(touched: Float64Array, draws: Float64Array): Float64Array {
  const width = draws.length
  const lastRow = touched.length - width
  const next = new Float64Array(touched.length)
  for (let row = 0; row <= lastRow; row += width) {
    const more = Math.min(row + width, lastRow)
    for (let k = 0; k < width; k++) {
      const chance = touched[row + k]
      if (chance === 0) continue
      next[row + k] += chance * draws[0]
      for (let n = 1; k + n < width; n++) next[more + k + n] += chance * draws[n]
    }
  }
  return next
}

/** [M + 2, K + 1] what it weighs to have touched so many groups by so many draws in the end; nothing where it is more than M. */
function lastWeights(touched: Float64Array, width: number): Float64Array {
  const weights = new Float64Array(touched.length)
  for (let last = width - 1; last < touched.length - width; last += width) weights[last] = 1
  weights[touched.length - width - 1] = fullOf(touched, width)
  return weights
}

/** The same before one group is drawn, of what it is after that. */
function touchBefore(after: Float64Array, draws: Float64Array): Float64Array {
  const width = draws.length
  const next = new Float64Array(after.length)
  for (let row = 0; row < after.length - width; row += width) {
    for (let k = 0; k < width; k++) {
      let all = after[row + k] * draws[0]
      for (let n = 1; k + n < width; n++) all += after[row + width + k + n] * draws[n]
      next[row + k] = all
    }
  }
  return next
}

/** Adds to `beside` [K + 1] what goes before a group and after it, for each number of its draws. */
function addPairs(before: Float64Array, after: Float64Array, beside: Float64Array): void {
  const width = beside.length
  for (let row = 0; row < before.length - width; row += width) {
    for (let k = 0; k < width; k++) {
      const chance = before[row + k]
      if (chance === 0) continue
      beside[0] += chance * after[row + k]
      for (let n = 1; k + n < width; n++) beside[n] += chance * after[row + width + k + n]
    }
  }
}
