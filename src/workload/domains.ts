import { cumulative, pick } from '../distributions.js'
import { demand, demandNothingElse, demandWhole } from '../errors.js'
import { normalRows, type Run } from '../kernels/normal-rows.js'
import type { Batch, StepContext } from '../router/protocol.js'
import { type Mixture, nemotronMixture, sharesOf } from './mixture.js'
import type { Workload } from './protocol.js'

export interface DomainOptions {
  /** Which domains, and their shares; Nemotron 3 Nano's 15 categories unless given. A function of the step lets it shift. */
  readonly mixture?: Mixture | ((step: number) => Mixture)
  /** Tokens of a sequence, all of one domain: the shorter, the more domains a batch mixes. 64 unless given. */
  readonly sequenceLength?: number
  /** How far apart the domains are, in standard deviations of the tokens within one. 1 unless given. */
  readonly preference?: number
}

/**
 * Tokens that come in sequences of one domain, each domain with experts it prefers (other ones in each layer):
 * logit = preference · N(0, 1) of (domain, expert) + N(0, 1) of the token.
 */
export function domains(options: DomainOptions & { readonly numExperts: number }): Workload {
  demandWhole('domains: numExperts', options.numExperts, 1, 1 << 20, 'Give the router’s number of experts.')
  const { numExperts, ...others } = options
  const fill = clusters('domains', others, numExperts)
  return (context) => {
    const { values, ...origin } = fill(context)
    return { ...origin, logits: values }
  }
}

/** The same clusters in hidden states of width `hiddenSize`, for a router with weights of its own: `linearRouter`. */
export function hiddenDomains(options: DomainOptions & { readonly hiddenSize: number }): Workload {
  demandWhole('hiddenDomains: hiddenSize', options.hiddenSize, 1, 1 << 20, 'Give the router’s width D.')
  const { hiddenSize, ...others } = options
  const fill = clusters('hiddenDomains', others, hiddenSize)
  return (context) => {
    const { values, ...origin } = fill(context)
    return { ...origin, hidden: values }
  }
}

type Origin = Required<Pick<Batch, 'tokens' | 'domains' | 'sequences' | 'positions'>>

/** Fills [T, width] with cluster centre + noise. The centres are the domains', and fixed: they depend on the seed only. */
function clusters(
  who: string,
  options: DomainOptions,
  width: number,
): (context: StepContext) => Origin & { values: Float32Array } {
  const { mixture = nemotronMixture, sequenceLength = 64, preference = 1, ...rest } = options
  demandNothingElse(`${who}: the options`, rest)
  demandWhole(`${who}: sequenceLength`, sequenceLength, 1, 1 << 30, 'Use 1 for independent tokens.')
  demand(Number.isFinite(preference), `${who}: preference must be finite`, preference, 'Use 1.')
  return (context) => {
    const { tokens, layer, step, random } = context
    const shares = sharesOf(typeof mixture === 'function' ? mixture(step) : mixture)
    const origin = originOf(context, shares, sequenceLength)
    const centres = shares.map((_, domain) => {
      const draws = random('centres', layer).at(domain)
      return Float64Array.from({ length: width }, () => preference * draws.normal())
    })
    const runs: Run[] = []
    for (let token = 0; token < tokens; token += sequenceLength) {
      const length = Math.min(sequenceLength, tokens - token)
      runs.push({ tokens: length, means: centres[origin.domains[token]] })
    }
    return { ...origin, values: normalRows(random('workload', layer, step), runs, width, 1) }
  }
}

/** Which sequence and domain each token is of: the same in every layer, for it is the same token. */
function originOf(
  { tokens, step, random }: StepContext,
  shares: readonly number[],
  sequenceLength: number,
): Origin {
  const sums = cumulative(shares)
  const perStep = Math.ceil(tokens / sequenceLength)
  const domainOf = Array.from({ length: perStep }, (_, sequence) =>
    pick(random('sequences', 0, step).at(sequence), sums),
  )
  const inStep = Int32Array.from({ length: tokens }, (_, token) => Math.floor(token / sequenceLength))
  return {
    tokens,
    domains: inStep.map((sequence) => domainOf[sequence]),
    sequences: inStep.map((sequence) => step * perStep + sequence),
    positions: inStep.map((_, token) => token % sequenceLength),
  }
}
