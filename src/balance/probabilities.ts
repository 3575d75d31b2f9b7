import { demand } from '../errors.js'
import { exp, log, sigmoid, softplus } from '../math.js'
import type { RouterConfig } from '../router/config.js'
import type { ValidTokens } from './loss.js'

/** The scores of each token, normalised over all E experts, and what it takes to go back through them. */
export interface Probabilities {
  readonly tokens: number
  readonly numExperts: number
  /** P [tokens, E]: a score divided by (its row's sum + 1e-20). */
  readonly values: Float64Array
  /** [tokens, E], d ln score / d logit. */
  readonly slopes: Float64Array
}

/** A value and its gradient [tokens, E] over valid tokens, before the coefficient. */
export interface Pull {
  readonly value: number
  readonly gradient: Float64Array
}

const epsilon = 1e-20 // Megatron-LM's; a softmax, whose scores sum to 1 or more here, does not feel it

/** Softmax, or sigmoid or sqrtsoftplus scores divided by their sum, all in float64. A logit of −∞ has P = 0. */
export function probabilitiesOf(
  { who, logits, tokens, numExperts }: Omit<ValidTokens, 'rows' | 'allTokens'>,
  scoreFunction: RouterConfig['scoreFunction'],
): Probabilities {
  const scoreRow = scoreRows.get(scoreFunction)
  demand(
    scoreRow !== undefined,
    `${who}: scoreFunction must be one of ${[...scoreRows.keys()].join(', ')}`,
    scoreFunction,
    'Give the one that the router uses.',
  )
  const values = new Float64Array(logits.length)
  const slopes = new Float64Array(logits.length)
  for (let start = 0; start < logits.length; start += numExperts) {
    const end = start + numExperts
    const row = values.subarray(start, end)
    scoreRow(logits.subarray(start, end), row, slopes.subarray(start, end))
    let total = epsilon
    for (const score of row) total += score
    for (let e = 0; e < numExperts; e++) row[e] /= total
  }
  return { tokens, numExperts, values, slopes }
}

/**
 * The gradient with respect to the logits, [tokens, E], from the one with respect to P, of which `upstream` gives a
 * token's row. From P = s / (Σs + ε) follows ∂P_j / ∂z_i = P_i (δ_ij − P_j) · d ln s_i / dz_i.
 */
export function pullBack(
  { tokens, numExperts, values, slopes }: Probabilities,
  upstream: (token: number) => Float64Array,
): Float64Array {
  const gradient = new Float64Array(values.length)
  for (let token = 0; token < tokens; token++) {
    const start = token * numExperts
    const row = upstream(token)
    let mean = 0
    for (let e = 0; e < numExperts; e++) mean += row[e] * values[start + e]
    for (let e = 0; e < numExperts; e++) {
      gradient[start + e] = values[start + e] * (row[e] - mean) * slopes[start + e]
    }
  }
  return gradient
}

/**
 * Σ_t Σ_i c_ti · P_ti, the form of every loss that multiplies how often experts are chosen with how probable they are.
 * `factors` gives a token's row c_t [E], in which the counts stand as constants.
 */
export function weighProbabilities(p: Probabilities, factors: (token: number) => Float64Array): Pull {
  const { tokens, numExperts, values } = p
  let value = 0
  for (let token = 0; token < tokens; token++) {
    const row = factors(token)
    for (let e = 0; e < numExperts; e++) value += row[e] * values[token * numExperts + e]
  }
  return { value, gradient: pullBack(p, factors) }
}

/** Σ_t P_t, [E]. */
export function totalProbability({ numExperts, values }: Probabilities): Float64Array {
  const total = new Float64Array(numExperts)
  for (let i = 0; i < values.length; i++) total[i % numExperts] += values[i]
  return total
}

/** ln Σ eᶻ of a row with a finite maximum. */
export function logSumExp(logits: Float64Array): number {
  const largest = maximum(logits)
  let total = 0
  for (const logit of logits) total += exp(logit - largest)
  return largest + log(total)
}

type ScoreRow = (logits: Float64Array, scores: Float64Array, slopes: Float64Array) => void

const softmaxRow: ScoreRow = (logits, scores, slopes) => {
  const largest = maximum(logits)
  logits.forEach((logit, e) => {
    scores[e] = exp(logit - largest)
  })
  slopes.fill(1)
}

const sigmoidRow: ScoreRow = (logits, scores, slopes) =>
  logits.forEach((logit, e) => {
    scores[e] = sigmoid(logit)
    slopes[e] = sigmoid(-logit)
  })

const sqrtSoftplusRow: ScoreRow = (logits, scores, slopes) =>
  logits.forEach((logit, e) => {
    const square = softplus(logit)
    scores[e] = Math.sqrt(square)
    slopes[e] = square === 0 ? 0.5 : sigmoid(logit) / (2 * square) // ½ is the limit where softplus underflows
  })

const scoreRows = new Map<RouterConfig['scoreFunction'], ScoreRow>([
  ['softmax', softmaxRow],
  ['sigmoid', sigmoidRow],
  ['sqrtsoftplus', sqrtSoftplusRow],
])

const maximum = (values: Float64Array): number => values.reduce((largest, value) => Math.max(largest, value))
