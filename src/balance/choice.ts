import { demand, demandWhole } from '../errors.js'
import { checkExperts } from '../router/check-experts.js'
import { type RouterConfig, resolveRouter } from '../router/config.js'
import { scoreLogits } from '../router/score.js'
import { selectExperts } from '../router/select.js'
import { sum } from '../stats.js'
import { gatherRows, type ValidTokens } from './loss.js'

/** Where a loss takes its counts from: the plain top-k of the scores, unless told what was really chosen. */
export interface ChoiceOptions {
  readonly topK: number
  /** [T, any width], the experts each token really went to, −1 for an empty slot: `routing.experts`. */
  readonly experts?: Int32Array
}

export interface LoadOptions extends ChoiceOptions {
  /** [E], the counts themselves, such as a load summed over ranks; they are taken as they are, padding and all. */
  readonly load?: ArrayLike<number>
}

type ScoreFunction = RouterConfig['scoreFunction']

/**
 * The experts of each valid token, [tokens, width]. Without `experts` they are those `route` selects without bias, groups
 * or capacity, which is what Megatron-LM counts even where the router itself has a bias.
 */
export function chosenExperts(
  batch: ValidTokens,
  { topK, experts }: ChoiceOptions,
  scoreFunction: ScoreFunction,
): Int32Array {
  const { who, numExperts, rows, allTokens } = batch
  demandTopK(batch, topK)
  if (experts === undefined) {
    const router = resolveRouter({ numExperts, topK, scoreFunction, normalize: false, scale: 1 })
    const logits = Float32Array.from(batch.logits)
    return selectExperts(scoreLogits(logits, router), logits, router)
  }
  const width = experts.length / Math.max(1, allTokens)
  demand(
    Number.isInteger(width),
    `${who}: experts must hold as many for each of ${allTokens} tokens`,
    experts,
    'Lay them out row by row and fill the slots that a token does not use with −1.',
  )
  checkExperts(`${who}: experts`, { experts, numExperts, topK: width })
  return Int32Array.from(gatherRows(experts, width, rows))
}

/** Tokens per expert, [E], as the options say. */
export function loadFor(
  batch: ValidTokens,
  options: LoadOptions,
  scoreFunction: ScoreFunction,
): Float64Array {
  const { who, numExperts } = batch
  const { load } = options
  if (load === undefined) return countExperts(chosenExperts(batch, options, scoreFunction), numExperts)
  demandTopK(batch, options.topK)
  demand(
    load.length === numExperts,
    `${who}: load must hold numExperts = ${numExperts} counts`,
    load,
    'Give one count an expert.',
  )
  const counts = Float64Array.from(load)
  const odd = counts.findIndex((count) => !(count >= 0 && count < Infinity))
  demand(odd < 0, `${who}: load must hold numbers of at least 0`, counts[odd], 'A load counts tokens.')
  return counts
}

/** Refuses a K that no router has. */
export function demandTopK({ who, numExperts }: ValidTokens, topK: number): void {
  demandWhole(`${who}: topK`, topK, 1, numExperts, 'A token cannot choose more experts than there are.')
}

/** How often each expert stands in a list of chosen ones, [E]. */
export function countExperts(experts: Int32Array, numExperts: number): Float64Array {
  const load = new Float64Array(numExperts)
  for (const expert of experts) if (expert >= 0) load[expert]++
  return load
}

/** E · n_i / Σn, [E]: the load in multiples of its mean; 0 where there is none. */
export function relativeLoad(load: Float64Array): Float64Array {
  const total = sum(load)
  return load.map((count) => (count * load.length) / Math.max(total, Number.MIN_VALUE))
}
