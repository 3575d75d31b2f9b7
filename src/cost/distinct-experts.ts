import { demand, demandWhole } from '../errors.js'
import { demandChoices, type ExpertChoices } from '../router/choices.js'
import { loadOf, type Routing } from '../router/routing.js'
import { atLeastOnce } from './at-least-once.js'

/**
 * N(B), the experts of a layer that B tokens read when each chooses K of E at random: E (1 − (1 − K/E)^B).
 *
 * An upper estimate of real routing, whose tokens want the same experts more often than chance has it. Source: MoESD,
 * arXiv 2505.19645, eqs. 6–8. Throws an InputError on sizes that are no batch's.
 */
export function expectedDistinctExperts({
  numExperts,
  topK,
  tokens,
}: ExpertChoices & { readonly tokens: number }): number {
  demandChoices('expectedDistinctExperts', { numExperts, topK })
  demandWhole('expectedDistinctExperts: tokens', tokens, 0, 1e10, 'It is the tokens of one step.')
  return numExperts * atLeastOnce(topK / numExperts, tokens)
}

/**
 * The tokens it takes until `share` of the experts are read, on average and at random: the least B with N(B) ≥ share · E.
 * MoESD's threshold, ⌈log(1 − share) / log(1 − K/E)⌉, found without logarithms, so that it is exact where N(B) is.
 */
export function tokensToTouch(share: number, choices: ExpertChoices): number {
  const who = 'tokensToTouch'
  demandChoices(who, choices)
  const { numExperts, topK } = choices
  demand(topK >= 1e-6, `${who}: topK must be at least 1e-6`, topK, 'Without choices no expert is ever read.')
  const holds = share > 0 && share < 1
  demand(holds, `${who}: share must be above 0 and below 1`, share, 'Use 0.9; all of them take forever.')
  let enough = 1
  while (atLeastOnce(topK / numExperts, enough) < share) enough *= 2
  let few = enough / 2
  while (enough - few > 1) {
    const middle = Math.floor((few + enough) / 2)
    if (atLeastOnce(topK / numExperts, middle) < share) few = middle
    else enough = middle
  }
  return enough
}

/** Mean tokens of an expert that has any: T K / N(T). 1 for one token, T K / E for many. MoESD, eq. 8. */
export function tokensPerTouchedExpert(batch: ExpertChoices & { readonly tokens: number }): number {
  const distinct = expectedDistinctExperts(batch)
  return distinct === 0 ? 0 : (batch.tokens * batch.topK) / distinct
}

/** The experts that a routing reads, counted. */
export function distinctExperts(routing: Routing): number {
  return loadOf(routing).reduce((count, load) => count + (load > 0 ? 1 : 0), 0)
}
