import { demand } from '../errors.js'
import { sum } from '../stats.js'

/** Domains and their shares, in any unit: they are scaled to sum to 1. A domain's id is its place in the record. */
export type Mixture = Readonly<Record<string, number>>

/**
 * The 15 categories of Nemotron 3 Nano's pretraining data, in percent. The other phase, the languages and the sources
 * within a category are not modelled. Source: an overview of the model by its makers (arXiv 2512.20848 for the report).
 */
export const nemotronMixture: Mixture = /* @__PURE__ */ Object.freeze({
  'Crawl-Medium': 15,
  'Crawl-Medium-High': 12,
  'Syn-Crawl-Medium-High': 10,
  'Crawl-High': 8,
  'Syn-Crawl-High': 5,
  'Academic Text': 6,
  Wikipedia: 4,
  'Crawl++': 5,
  Math: 5,
  Code: 6,
  'Nemotron-CC-Code': 4,
  Multilingual: 6,
  'General-SFT': 5,
  'STEM-SFT': 5,
  'Code-SFT': 4,
})

/** The shares of a mixture in the order of its domains. Throws an InputError on an empty or negative one. */
export function sharesOf(mixture: Mixture): number[] {
  const shares = Object.values(mixture)
  demand(shares.length > 0, 'mixture: there must be at least one domain', mixture, 'Use { web: 1 }.')
  for (const [domain, share] of Object.entries(mixture)) {
    const holds = share >= 0 && share < Infinity
    demand(holds, `mixture: the share of '${domain}' must be a finite number of at least 0`, share, 'Fix it.')
  }
  const total = sum(shares)
  demand(total > 0, 'mixture: at least one share must be above 0', total, 'Give some domain a share.')
  return shares
}
