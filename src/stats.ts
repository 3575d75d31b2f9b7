/** The probabilities of the values first, first + 1, …; what is left out has less than 1e-20 of the mode's. */
export interface Distribution {
  readonly first: number
  readonly chance: Float64Array
}

/** Binomial(n, p), by the ratios of neighbours outwards from the mode: no factorials to overflow. */
export function binomial(n: number, p: number): Distribution {
  const odds = p / (1 - p)
  const mode = Math.min(n, Math.floor((n + 1) * p))
  return outwards(
    [0, mode, n],
    (m) => ((n - m) / (m + 1)) * odds,
    (m) => m / ((n - m + 1) * odds),
  )
}

/** How many of `draws` without replacement are marked, where `marked` of `population` are; by ratios, as above. */
export function hypergeometric(population: number, marked: number, draws: number): Distribution {
  const unmarked = population - marked
  const least = Math.max(0, draws - unmarked)
  const most = Math.min(marked, draws)
  const mode = Math.min(most, Math.floor(((draws + 1) * (marked + 1)) / (population + 2)))
  return outwards(
    [least, Math.max(least, mode), most],
    (m) => ((marked - m) * (draws - m)) / ((m + 1) * (unmarked - draws + m + 1)),
    (m) => (m * (unmarked - draws + m)) / ((marked - m + 1) * (draws - m + 1)),
  )
}

type Ratio = (m: number) => number

/** From the mode to both ends: `above(m)` is P(m + 1) / P(m), `below(m)` is P(m − 1) / P(m). */
function outwards(
  [least, mode, most]: readonly [number, number, number],
  above: Ratio,
  below: Ratio,
): Distribution {
  const negligible = 1e-20
  const higher: number[] = []
  for (let m = mode, chance = 1; m < most; m++) {
    chance *= above(m)
    if (chance < negligible) break
    higher.push(chance)
  }
  const lower: number[] = []
  for (let m = mode, chance = 1; m > least; m--) {
    chance *= below(m)
    if (chance < negligible) break
    lower.push(chance)
  }
  const chance = Float64Array.from([...lower.reverse(), 1, ...higher])
  const total = sum(chance)
  return { first: mode - lower.length, chance: chance.map((value) => value / total) }
}

/** In order, in float64. */
export function sum(values: ArrayLike<number>): number {
  let total = 0
  for (let i = 0; i < values.length; i++) total += values[i]
  return total
}

export const mean = (values: ArrayLike<number>): number => sum(values) / values.length
