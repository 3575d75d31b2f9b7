import { demand, demandNothingElse, demandWhole, orNone } from '../errors.js'

/** Router logits [T, E], row-major. All losses compute in float64 and round the gradient once, to this type. */
export type Logits = Float32Array | Float64Array

/** What a loss is, and which way it pulls. */
export interface Loss<A extends Logits> {
  /** In float64, times the coefficient. */
  readonly value: number
  /** [T, E], the derivative of the value with respect to the logits; 0 at padding. Counts are constants in it. */
  readonly gradient: A
}

export interface LossOptions {
  readonly numExperts: number
  /** Multiplies value and gradient; 1 unless given. */
  readonly coefficient?: number
  /**
   * [T], 1 for a token that counts and 0 for padding, as in a Hugging Face attention mask; Megatron-LM's padding mask is
   * the opposite. Padding has no part in counts, probabilities or the number of tokens, whatever its logits are.
   */
  readonly valid?: ArrayLike<number>
}

/** The tokens that count, one after another, so that no loss has to think of padding. */
export interface ValidTokens {
  /** The loss that asks, as its errors are headed. */
  readonly who: string
  readonly tokens: number
  readonly numExperts: number
  /** [tokens, E] */
  readonly logits: Float64Array
  /** [tokens], where each stands in the input. */
  readonly rows: Int32Array
  /** T, padding included. */
  readonly allTokens: number
}

/**
 * The valid rows of the input. Throws an InputError on lengths that do not fit, and on a valid row with NaN, +∞ or
 * nothing but −∞.
 */
export function validTokens(who: string, logits: Logits, options: LossOptions): ValidTokens {
  const { numExperts, coefficient = 1, valid, ...rest } = orNone(options)
  demandKnown(who, rest)
  const what = 'It is the number of routed experts, such as 128.'
  demandWhole(`${who}: numExperts`, numExperts, 1, 1 << 20, what)
  demand(
    (logits instanceof Float32Array || logits instanceof Float64Array) && logits.length % numExperts === 0,
    `${who}: logits must be a Float32Array or Float64Array of tokens × ${numExperts} values`,
    logits,
    'Lay them out as [T, E], row by row.',
  )
  demand(
    Number.isFinite(coefficient),
    `${who}: coefficient must be a finite number`,
    coefficient,
    'Leave it out for 1.',
  )
  const allTokens = logits.length / numExperts
  const rows = validRows(who, allTokens, valid)
  const kept = gatherRows(logits, numExperts, rows)
  rows.forEach((token, row) => checkRow(who, token, kept.subarray(row * numExperts, (row + 1) * numExperts)))
  return { who, tokens: rows.length, numExperts, logits: kept, rows, allTokens }
}

/** These rows of an array of rows of `width`, in float64. */
export function gatherRows(values: ArrayLike<number>, width: number, rows: Int32Array): Float64Array {
  const kept = new Float64Array(rows.length * width)
  rows.forEach((from, row) => {
    for (let i = 0; i < width; i++) kept[row * width + i] = values[from * width + i]
  })
  return kept
}

/** A loss of the valid tokens as one of the input: the gradient back in place, in the logits' type, times the coefficient. */
export function lossOf<A extends Logits>(
  logits: A,
  { numExperts, coefficient = 1 }: LossOptions,
  { rows }: ValidTokens,
  { value, gradient }: { value: number; gradient: Float64Array },
): Loss<A> {
  const whole = new (logits.constructor as new (length: number) => A)(logits.length)
  rows.forEach((token, row) => {
    for (let e = 0; e < numExperts; e++) {
      whole[token * numExperts + e] = coefficient * gradient[row * numExperts + e]
    }
  })
  return { value: coefficient * value, gradient: whole }
}

/** What losses and routers have besides: losses of one router are often called with one object, or a router spread in. */
const otherFields = [
  // of losses
  'topK',
  'experts',
  'load',
  'scoreFunction',
  'sequences',
  'devices',
  'deviceLimit',
  'gateNoise',
  'noise',
  'deviation',
  // of routers
  'softmaxOrder',
  'normalize',
  'scale',
  'epsilon',
  'numGroups',
  'topGroups',
  'groupScoreTop',
]

function demandKnown(who: string, rest: object): void {
  const strays = Object.entries(rest).filter(([field]) => !otherFields.includes(field))
  demandNothingElse(`${who}: the options`, Object.fromEntries(strays))
}

function validRows(who: string, tokens: number, valid?: ArrayLike<number>): Int32Array {
  const all = Int32Array.from({ length: tokens }, (_, token) => token)
  if (valid === undefined) return all
  demand(
    valid.length === tokens,
    `${who}: valid must hold a value for each of ${tokens} tokens`,
    valid,
    'Leave it out where there is no padding.',
  )
  return all.filter((token) => {
    const mark = valid[token]
    demand(
      mark === 0 || mark === 1,
      `${who}: valid must hold 0 and 1 only`,
      mark,
      'Use 1 for a token that counts and 0 for padding.',
    )
    return mark === 1
  })
}

function checkRow(who: string, token: number, row: Float64Array): void {
  const odd = row.findIndex((logit) => !(Math.fround(logit) < Infinity))
  demand(
    odd < 0,
    `${who}: the logit of token ${token} for expert ${odd} must be a number below +∞, in float32`,
    row[odd],
    'Use −∞ for a mask; else look for an overflow or a 0/0 upstream.',
  )
  demand(
    row.some((logit) => logit > Number.NEGATIVE_INFINITY),
    `${who}: token ${token} must have a logit above −∞`,
    row,
    'Mark a token that may go nowhere as padding.',
  )
}
