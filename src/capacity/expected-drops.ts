import { demand, demandWhole } from '../errors.js'
import { demandChoices } from '../router/choices.js'
import type { RoutingSizes } from '../router/routing.js'
import { binomial } from '../stats.js'

/**
 * The share of assignments that a capacity drops from fair routing, every token choosing its K of E experts at random:
 * E[(N − C)⁺] / mean, where an expert's load N is Binomial(T, K/E). Exact, whoever is served first.
 *
 * At C = mean it is about 0.4 times the load's coefficient of variation, √((1 − K/E) / mean). `capacity` may be a
 * fraction, as a formula without rounding gives it; no buffer has that size. Throws an InputError on sizes that are no
 * batch's.
 */
export function expectedDropShare({
  tokens,
  numExperts,
  topK,
  capacity,
}: RoutingSizes & { readonly capacity: number }): number {
  const who = 'expectedDropShare'
  demandWhole(`${who}: tokens`, tokens, 0, 1e10, 'It is the tokens that share the capacity.')
  demandChoices(who, { numExperts, topK })
  demand(
    capacity >= 0,
    `${who}: capacity must be at least 0`,
    capacity,
    'See the rules, such as megatronCapacity.',
  )
  const mean = (tokens * topK) / numExperts
  if (mean === 0) return 0
  const { first, chance } = binomial(tokens, topK / numExperts)
  const excess = chance.reduce((sum, value, i) => sum + value * Math.max(0, first + i - capacity), 0)
  return excess / mean
}
