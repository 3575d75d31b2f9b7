import { demand } from '../errors.js'
import { checkExperts } from '../router/check-experts.js'
import { ownSlotsOf, type Routing } from '../router/routing.js'
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

/** A routing, of which E and the slots before fillers may be missing. */
type Chosen = Pick<Routing, 'tokens' | 'topK' | 'experts' | 'weights' | 'ownSlots'> &
  Partial<Pick<Routing, 'numExperts'>>

/**
 * Compares two routings of the same tokens. They may choose a different number of experts; fillers are left out.
 *
 * Of equal keys the lower expert comes first here, as in JAX and in a stable `torch.sort`; which `torch.topk` takes is
 * undefined, so that its choice may differ at ties and be as right. Throws an InputError on routings of other tokens, on
 * rows that are not [T, K], and on experts that are no numbers of experts or that a token chooses twice.
 */
export function agreement(a: Chosen, b: Chosen): Agreement {
  const { differing, filled, differingSlots, ...figures } = compared(a, b)
  return figures
}

/** Which tokens have other experts in `b` than in `a`, in order: those that `agreement` counts. Throws as it does. */
export function differingTokens(a: Chosen, b: Chosen): Int32Array {
  const { differing } = compared(a, b)
  return Int32Array.from(differing.keys()).filter((token) => differing[token] === 1)
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
  demandChosen(a)
  demandChosen(b)
  const [ownOfA, ownOfB] = [ownSlotsOf(a), ownSlotsOf(b)]
  const differing = new Uint8Array(a.tokens)
  let filled = 0
  let differingSlots = 0
  let largest = 0
  for (let token = 0; token < a.tokens; token++) {
    const row = a.experts.subarray(token * a.topK, token * a.topK + ownOfA)
    const other = b.experts.subarray(token * b.topK, token * b.topK + ownOfB)
    const chosen = countFilled(row)
    filled += chosen
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
    if (missing > 0 || chosen !== countFilled(other)) differing[token] = 1
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

const countFilled = (row: Int32Array): number =>
  row.reduce((count, expert) => count + (expert < 0 ? 0 : 1), 0)

/** Refuses what is no choice of experts, which would compare as if it were one. */
function demandChosen(routing: Chosen): void {
  const { tokens, topK, experts, weights } = routing
  const numExperts = routing.numExperts ?? experts.reduce((most, expert) => Math.max(most, expert + 1), 0)
  demand(
    experts.length === tokens * topK && weights.length === tokens * topK,
    `agreement: experts and weights must be [T, K], ${tokens} × ${topK} of each`,
    `${experts.length} experts and ${weights.length} weights`,
    'Lay them out row by row, and fill the slots that a token does not use with −1 and 0.',
  )
  checkExperts('agreement: experts', { experts, numExperts, topK, ownSlots: ownSlotsOf(routing) })
}
