import { demand } from '../errors.js'
import { log } from '../math.js'
import { type Routing, withoutFillers } from '../router/routing.js'
import { maxViolation } from './load.js'

/** The load of each domain, [domains, E]: how often its tokens went to each expert. `domains` is [T]. */
export function loadByDomain(routing: Routing, domains: Int32Array, numDomains: number): Int32Array {
  const { tokens, topK, numExperts, experts } = routing
  demand(
    domains.length === tokens && domains.every((domain) => domain >= 0 && domain < numDomains),
    `loadByDomain: domains must be [T], one below numDomains = ${numDomains} for each of ${tokens} tokens`,
    domains,
    'Take them from the batch that was routed, and count them all.',
  )
  const load = new Int32Array(numDomains * numExperts)
  experts.forEach((expert, slot) => {
    if (expert >= 0) load[domains[Math.floor(slot / topK)] * numExperts + expert]++
  })
  return load
}

/** What one domain's tokens chose. */
export interface DomainPreference {
  readonly tokens: number
  readonly distinctExperts: number
  readonly topExpert: number
  /** Share of the domain's tokens that chose its top expert; chance is K/E. */
  readonly topShare: number
  readonly maxViolation: number
}

/** Preferences of each domain, from `loadByDomain` and the tokens [T] it was counted from. */
export function domainPreferences(
  load: Int32Array,
  domains: Int32Array,
  numExperts: number,
): DomainPreference[] {
  return Array.from({ length: rowsOf('domainPreferences', load, numExperts) }, (_, domain) => {
    const own = load.subarray(domain * numExperts, (domain + 1) * numExperts)
    const tokens = domains.reduce((count, of) => count + (of === domain ? 1 : 0), 0)
    const topExpert = own.indexOf(own.reduce((most, count) => Math.max(most, count)))
    return {
      tokens,
      distinctExperts: own.reduce((count, n) => count + (n > 0 ? 1 : 0), 0),
      topExpert,
      topShare: tokens === 0 ? 0 : own[topExpert] / tokens,
      maxViolation: maxViolation(own),
    }
  })
}

/**
 * Domain specialisation, [domains, E]: the share of a domain's tokens that go to each expert, by chance K/E; rows sum to
 * K. From `loadByDomain` and the tokens [T] it was counted from; a domain without tokens has zeros. Source: OLMoE,
 * arXiv 2409.02060, §5 (its share of assignments, times K); the expert load of dots.llm1.
 */
export function domainSpecialization(
  load: Int32Array,
  domains: Int32Array,
  numExperts: number,
): Float64Array {
  const tokens = new Int32Array(rowsOf('domainSpecialization', load, numExperts))
  for (const domain of domains) tokens[domain]++
  return Float64Array.from(load, (count, i) => count / Math.max(1, tokens[Math.floor(i / numExperts)]))
}

/** Mutual information of expert and domain over assignments, in bits: 0 if the domain says nothing about the expert. */
export function mutualInformation(load: Int32Array, numExperts: number): number {
  const numDomains = rowsOf('mutualInformation', load, numExperts)
  const ofDomain = new Float64Array(numDomains)
  const ofExpert = new Float64Array(numExperts)
  let total = 0
  load.forEach((count, i) => {
    ofDomain[Math.floor(i / numExperts)] += count
    ofExpert[i % numExperts] += count
    total += count
  })
  let nats = 0
  load.forEach((count, i) => {
    const expected = ofDomain[Math.floor(i / numExperts)] * ofExpert[i % numExperts]
    if (count > 0) nats += (count / total) * log((count * total) / expected)
  })
  return nats / log(2)
}

/** [E, E] how many tokens chose both experts; the diagonal is the load. Symmetric. */
export function coActivation(routing: Routing): Int32Array {
  const { tokens, topK, numExperts, experts } = withoutFillers(routing)
  const both = new Int32Array(numExperts * numExperts)
  for (let token = 0; token < tokens; token++) {
    const row = experts.subarray(token * topK, (token + 1) * topK)
    for (const a of row) for (const b of row) if (a >= 0 && b >= 0) both[a * numExperts + b]++
  }
  return both
}

/**
 * Co-activation as the paper defines it, [E, E]: of the tokens that chose i, the share that chose j, N_ij / N_i, from
 * `coActivation`; by chance (K − 1) / (E − 1). Rows of unused experts are 0. Source: OLMoE, arXiv 2409.02060, §5. Its
 * released script counts only pairs that are neighbours in rank, which is less.
 */
export function coActivationShares(both: Int32Array, numExperts: number): Float64Array {
  demandSquare('coActivationShares', both, numExperts)
  return Float64Array.from(both, (count, i) => {
    const row = Math.floor(i / numExperts)
    return count / Math.max(1, both[row * numExperts + row])
  })
}

/**
 * The pair of experts most often chosen together, and the expert most surely followed by another. Where there is no such
 * pair, or no such expert, its share is 0 and both its experts are 0.
 */
export interface Companions {
  readonly pair: readonly [number, number]
  /** Share of tokens that chose the pair; by chance K(K − 1) / (E(E − 1)). */
  readonly pairShare: number
  /** Largest P(other | given) = N_ij / N_i over experts `given` with at least `fewest` tokens, the paper's co-activation. */
  readonly given: number
  readonly other: number
  readonly conditional: number
}

/** The extremes of `coActivation`; source: OLMoE, arXiv 2409.02060, §5 (its released script counts other pairs). */
export function companions(both: Int32Array, numExperts: number, tokens: number, fewest = 30): Companions {
  demandSquare('companions', both, numExperts)
  let pair: [number, number] = [0, 0]
  let most = 0
  let given = 0
  let other = 0
  let conditional = 0
  for (let a = 0; a < numExperts; a++) {
    const load = both[a * numExperts + a]
    for (let b = 0; b < numExperts; b++) {
      if (a === b) continue
      const count = both[a * numExperts + b]
      if (a < b && count > most) {
        most = count
        pair = [a, b]
      }
      if (load >= fewest && count / load > conditional) {
        conditional = count / load
        given = a
        other = b
      }
    }
  }
  return { pair, pairShare: most / Math.max(1, tokens), given, other, conditional }
}

function demandSquare(name: string, both: Int32Array, numExperts: number): void {
  demand(
    both.length === numExperts * numExperts,
    `${name}: both must be [E, E], ${numExperts} × ${numExperts}`,
    both,
    'Count it with coActivation.',
  )
}

/** How many domains a load [domains, E] is of. */
function rowsOf(name: string, load: Int32Array, numExperts: number): number {
  demand(
    load.length % numExperts === 0,
    `${name}: load must be [domains, E], whole rows of numExperts = ${numExperts}`,
    load,
    'Count it with loadByDomain.',
  )
  return load.length / numExperts
}
