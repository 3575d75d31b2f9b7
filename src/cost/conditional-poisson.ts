/**
 * Conditional Poisson sampling: each of E things is taken by a chance of its own, and only draws that take exactly `size`
 * count. Of all ways to take `size` things, each with its given share of the draws, it is the most random one (that of the
 * greatest entropy); with equal shares every set has the same chance. Chen, Dempster and Liu, Biometrika 81 (1994) 457.
 */

/**
 * [E] the chances of their own that take each thing in the given shares of the draws, [E]: each from 0 to 1, together `size`.
 * Right to 1e-12 of a draw, after 40 rounds at most.
 */
export function ownChances(shares: Float64Array, size: number): Float64Array {
  let chances = shares
  let before = Infinity
  let isCareful = false
  for (let rounds = 0; rounds < mostRounds; rounds++) {
    const odds = oddsOf(chances, size)
    // Not so those of shares of 0 and 1; nor, but for rounding, of what is left where all draws are taken by shares of 1.
    const isOpen = (e: number): boolean => odds[e] > 0 && odds[e] < Infinity
    const off = odds.map((o, e) => (isOpen(e) ? Math.abs(o / (1 + o) - shares[e]) : 0))
    const most = off.reduce((a, b) => Math.max(a, b))
    if (most <= 1e-12) break
    // Newton's method on each alone. Others give way to it: where they are few that overshoots, for ever, and half is right.
    isCareful ||= most > before / 2
    before = most
    chances = chances.map((chance, e) => {
      if (!isOpen(e)) return chance
      const ratio = shares[e] / (1 - shares[e]) / odds[e]
      const own = (chance / (1 - chance)) * (isCareful ? Math.sqrt(ratio) : ratio)
      return own / (1 + own)
    })
  }
  return chances
}

const mostRounds = 100

/** [E] the odds that a thing is among the `size` taken: how often it is over how often it is not. */
function oddsOf(chances: Float64Array, size: number): Float64Array {
  const width = size + 1
  const before = new Float64Array(chances.length * width) // of the things before each
  const taken = noDraws(size)
  chances.forEach((chance, e) => {
    before.set(taken, e * width)
    addDraw(taken, chance)
  })
  const after = noDraws(size)
  const odds = new Float64Array(chances.length)
  for (let e = chances.length - 1; e >= 0; e--) {
    const row = e * width
    let others = 0 // that `size` are taken without this one
    let fewer = 0 // and one less
    for (let i = 0; i < size; i++) {
      others += before[row + i] * after[size - i]
      fewer += before[row + i] * after[size - 1 - i]
    }
    others += before[row + size] * after[0]
    odds[e] = (chances[e] * fewer) / ((1 - chances[e]) * others)
    addDraw(after, chances[e])
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
