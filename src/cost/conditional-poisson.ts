import { exp, log } from '../math.js'
import { type GroupLimit, weightsBeside } from './group-limit.js'

/**
 * Conditional Poisson sampling: each of E things is taken by a chance of its own, and only draws that take exactly `size`
 * count. Of all ways to take `size` things, each with its given share of the draws, it is the most random one (that of the
 * greatest entropy); with equal shares every set has the same chance. Chen, Dempster and Liu, Biometrika 81 (1994) 457.
 *
 * Under a limit of groups the same of sets that touch no more, where those that touch as many as they may count as often as
 * `fullWeight` has it.
 */

/**
 * [E] the chances of their own that take each thing in the given shares of the draws, [E]: each from 0 to 1, together `size`.
 * Right to 1e-12 of a draw, after 40 rounds at most. Under a limit mostly after 30 to 300, and a few hundredths off in the end
 * where shares are at the edge of what it allows, such as those of very few draws.
 */
export function ownChances(shares: Float64Array, size: number, limit: GroupLimit): Float64Array {
  const { first, careful, growth, mostRounds } = limit.numGroups > 1 ? stepsWithin(size, limit) : freeSteps
  let chances = shares
  let before = Infinity
  let isCareful = false
  for (let rounds = 0; rounds < mostRounds; rounds++) {
    const odds = oddsOf(chances, size, limit)
    // Not so those of shares of 0 and 1; nor, but for rounding, of what is left where all draws are taken by shares of 1.
    const isOpen = (e: number): boolean => odds[e] > 0 && odds[e] < Infinity
    const off = odds.map((o, e) => (isOpen(e) ? Math.abs(o / (1 + o) - shares[e]) : 0))
    const most = off.reduce((a, b) => Math.max(a, b))
    if (most <= 1e-12) break
    isCareful ||= most > before * growth
    before = most
    chances = chances.map((chance, e) => {
      if (!isOpen(e)) return chance
      const ratio = shares[e] / (1 - shares[e]) / odds[e]
      const own = (chance / (1 - chance)) * (isCareful ? careful(ratio) : first(ratio))
      return own / (1 + own)
    })
  }
  return chances
}

/** How far each thing's odds go towards what would be right of it alone. */
interface Steps {
  readonly first: (ratio: number) => number
  readonly careful: (ratio: number) => number
  /** Of the error, in a round, from which on to be careful. */
  readonly growth: number
  readonly mostRounds: number
}

/** Newton's method on each alone. Others give way to it: where they are few that overshoots, for ever, and half is right. */
const freeSteps: Steps = { first: (ratio) => ratio, careful: Math.sqrt, growth: 1 / 2, mostRounds: 100 }

/** Things of a group come together, K / M of them where any does, and each counts for them all. */
function stepsWithin(size: number, { topGroups }: GroupLimit): Steps {
  const part = Math.min(1 / 2, topGroups / size)
  const power = (exponent: number) => (ratio: number) => exp(exponent * log(ratio))
  return { first: power(part), careful: power(part / 2), growth: 1, mostRounds: 400 }
}

/** [E] the odds that a thing is among the `size` taken: how often it is over how often it is not. */
function oddsOf(chances: Float64Array, size: number, { numGroups, topGroups }: GroupLimit): Float64Array {
  const width = size + 1
  const groupSize = chances.length / numGroups
  const before = new Float64Array(chances.length * width) // of the things of its group before each
  const groups = Array.from({ length: numGroups }, () => noDraws(size))
  chances.forEach((chance, e) => {
    const taken = groups[Math.floor(e / groupSize)]
    before.set(taken, e * width)
    addDraw(taken, chance)
  })
  const odds = new Float64Array(chances.length)
  // What the things after each, and the other groups, make of so many taken before it.
  for (const [group, after] of weightsBeside(groups, topGroups).entries()) {
    for (let e = (group + 1) * groupSize - 1; e >= group * groupSize; e--) {
      const row = e * width
      let others = 0 // that `size` are taken without this one
      let fewer = 0 // and one less
      for (let i = 0; i < size; i++) {
        others += before[row + i] * after[i]
        fewer += before[row + i] * after[i + 1]
      }
      others += before[row + size] * after[size]
      odds[e] = (chances[e] * fewer) / ((1 - chances[e]) * others)
      for (let i = 0; i < size; i++) after[i] = after[i] * (1 - chances[e]) + after[i + 1] * chances[e]
      after[size] *= 1 - chances[e]
    }
  }
  return odds
}

/** [size + 1] the chances that so many are taken, of nothing at all. */
export function noDraws(size: number): Float64Array {
  const taken = new Float64Array(size + 1)
  taken[0] = 1
  return taken
}

/** Puts one more thing among those that `taken` [size + 1] is of, in place; of its draws only the share `kept` is counted. */
export function addDraw(taken: Float64Array, chance: number, kept = 1): void {
  for (let count = taken.length - 1; count > 0; count--)
    taken[count] = taken[count] * (1 - chance) + taken[count - 1] * chance * kept
  taken[0] *= 1 - chance
}
