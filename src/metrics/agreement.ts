import { demand } from '../errors.js'
import { countFilled, type Routing } from '../router/routing.js'
import { sum } from '../stats.js'

/** How far two routings of the same tokens agree, as sets of experts: the order of the slots is not compared. */
export interface Agreement {
  readonly tokens: number
  /** Tokens whose set of experts differs, and their share. */
  readonly differingTokens: number
  readonly differingTokenShare: number
  /** Share of the slots of `a` whose expert `b` does not choose for that token. */
  readonly differingSlotShare: number
  /** The largest difference of the weights of an expert that both choose. */
  readonly largestWeightDifference: number
}

type Chosen = Pick<Routing, 'tokens' | 'topK' | 'experts' | 'weights'>

/** Compares two routings of the same tokens. They may choose a different number of experts. Throws an InputError if their tokens differ in number. */
export function agreement(a: Chosen, b: Chosen): Agreement {
  const { differing, filled, differingSlots, ...figures } = compared(a, b)
  return figures
}

interface Compared extends Agreement {
  /** [T], 1 for a token whose set of experts differs. */
  readonly differing: Uint8Array
  /** Slots of `a`, and those of them whose expert `b` does not choose. */
  readonly filled: number
  readonly differingSlots: number
}

/** The same, and what it was counted from. */
export function compared(a: Chosen, b: Chosen): Compared {
  demand(
    a.tokens === b.tokens,
    `agreement: both routings must be of the same tokens, ${a.tokens}`,
    b.tokens,
    'Route the same batch twice.',
  )
  const differing = new Uint8Array(a.tokens)
  const filled = countFilled(a.experts)
  let differingSlots = 0
  let largest = 0
  for (let token = 0; token < a.tokens; token++) {
    const row = a.experts.subarray(token * a.topK, (token + 1) * a.topK)
    const other = b.experts.subarray(token * b.topK, (token + 1) * b.topK)
    let missing = 0
    row.forEach((expert, slot) => {
      if (expert < 0) return
      const match = other.indexOf(expert)
      if (match < 0) missing++
      else
        largest = Math.max(
          largest,
          Math.abs(a.weights[token * a.topK + slot] - b.weights[token * b.topK + match]),
        )
    })
    differingSlots += missing
    if (missing > 0 || countFilled(row) !== countFilled(other)) differing[token] = 1
  }
  const differingTokens = sum(differing)
  return {
    differing,
    filled,
    differingSlots,
    tokens: a.tokens,
    differingTokens,
    differingTokenShare: a.tokens === 0 ? 0 : differingTokens / a.tokens,
    differingSlotShare: filled === 0 ? 0 : differingSlots / filled,
    largestWeightDifference: largest,
  }
}
