import { demandNothingElse, demandWhole } from '../errors.js'
import { selectBest } from '../kernels/select-best.js'
import { logitsOf } from './logits.js'
import type { Router } from './protocol.js'
import type { RoutingSizes } from './routing.js'
import { maskScores, softmaxRows } from './score.js'
import { routeAllOpen } from './variable.js'

export interface ExpertChoiceOptions {
  readonly numExperts: number
  /**
   * C, the tokens that each expert takes of a group: a number, or a rule of the group's sizes, as those of capacity are:
   * `(sizes) => megatronCapacity(sizes, { factor: 2 })`. `topK` is 1 there, so that a factor is the experts a token gets
   * on average, as in Zhou et al. and flaxformer.
   */
  readonly capacity: number | ((sizes: RoutingSizes) => number)
  /** Groups are so many tokens in a row, the last one what is left; all tokens of the batch unless given. */
  readonly tokensPerGroup?: number
}

/**
 * Expert choice: of each group of tokens, every expert takes the C that want it most, by softmax probability, which is
 * also the weight. A token may get from 0 to E experts; K of the routing is the most that one got. Balance is perfect
 * and no bias is read, but whether a token is taken depends on later ones: see `futureLeakage`.
 *
 * Padding is a row of −∞ logits (`maskPadding`): it counts for the capacity and is never taken, where flaxformer takes
 * it with weight 0 once an expert runs out of tokens.
 * Source: Zhou et al., arXiv 2202.09368; flaxformer `ExpertsChooseMaskedRouter`. Throws an InputError on a capacity
 * below 1, and on logits that are missing, do not fit, or are NaN or +∞.
 */
export function expertChoice(options: ExpertChoiceOptions): Router {
  const { numExperts, capacity, tokensPerGroup, ...rest } = options
  demandNothingElse('expertChoice: the options', rest)
  demandWhole('expertChoice: numExperts', numExperts, 1, 1 << 20, 'It is the number of routed experts.')
  if (typeof capacity !== 'function') checkCapacity(capacity)
  if (tokensPerGroup !== undefined) {
    demandWhole('expertChoice: tokensPerGroup', tokensPerGroup, 1, 1 << 28, 'Leave it out for one group.')
  }
  const capacityOf = typeof capacity === 'function' ? capacity : () => capacity
  return (batch) => {
    const logits = logitsOf(batch, numExperts, 'expertChoice')
    const scores = softmaxRows(logits, numExperts, 'expertChoice')
    const wanted = maskScores(scores, logits)
    const taken = new Float32Array(wanted.length).fill(Number.NEGATIVE_INFINITY)
    const groupLength = (tokensPerGroup ?? batch.tokens) * numExperts
    for (let first = 0; first < wanted.length; first += groupLength) {
      const group = wanted.subarray(first, first + groupLength)
      const tokens = group.length / numExperts
      const most = capacityOf({ tokens, topK: 1, numExperts })
      checkCapacity(most)
      for (const place of takeTokens(group, numExperts, Math.min(most, tokens))) {
        taken[first + place] = group[place]
      }
    }
    return routeAllOpen(taken, scores, numExperts)
  }
}

function checkCapacity(capacity: number): void {
  demandWhole('expertChoice: capacity', capacity, 1, Number.MAX_SAFE_INTEGER, 'Round it, and use 1 at least.')
}

/** The places in a group's keys [tokens, E] that its experts take, at most `capacity` each. */
function takeTokens(keys: Float32Array, numExperts: number, capacity: number): number[] {
  const tokens = keys.length / numExperts
  const column = new Float32Array(tokens)
  const bestKeys = new Float32Array(capacity)
  const chosen = new Int32Array(capacity)
  const places: number[] = []
  for (let e = 0; e < numExperts; e++) {
    for (let token = 0; token < tokens; token++) column[token] = keys[token * numExperts + e]
    selectBest(column, 0, tokens, bestKeys, chosen, 0)
    for (const token of chosen) if (token >= 0) places.push(token * numExperts + e)
  }
  return places
}
