/** The probabilities of the values first, first + 1, …; what is left out has less than 1e-20 of the mode's. */
export interface Distribution {
  readonly first: number
  readonly chance: Float64Array
}

/** Binomial(n, p), by the ratios of neighbours outwards from the mode: no factorials to overflow. */
export function binomial(n: number, p: number): Distribution {
  const negligible = 1e-20
  const odds = p / (1 - p)
  const mode = Math.min(n, Math.floor((n + 1) * p))
  const above: number[] = []
  for (let m = mode, chance = 1; m < n; m++) {
    chance *= ((n - m) / (m + 1)) * odds
    if (chance < negligible) break
    above.push(chance)
  }
  const below: number[] = []
  for (let m = mode, chance = 1; m > 0; m--) {
    chance *= m / ((n - m + 1) * odds)
    if (chance < negligible) break
    below.push(chance)
  }
  const chance = Float64Array.from([...below.reverse(), 1, ...above])
  const total = chance.reduce((sum, value) => sum + value, 0)
  return { first: mode - below.length, chance: chance.map((value) => value / total) }
}
