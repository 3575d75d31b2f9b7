import { InputError } from '../errors.js'
import { scoreRows } from '../kernels/scores.js'
import type { ResolvedRouter } from './config.js'

/**
 * Logits [T, E] to scores [T, E]: each a float64 function of the float32 logit, rounded once to float32.
 *
 * A logit of −∞ marks an expert that its token cannot select; its score is 0. With softmax 'afterTopK' the selection
 * reads the logits themselves, so they are the scores. Throws an InputError, with the position, on NaN and +∞.
 */
export function scoreLogits(logits: Float32Array, router: ResolvedRouter): Float32Array {
  return scored(logits, router, 0)
}

/** The scores as the selection reads them: −∞, below any bias, where a logit of −∞ keeps a token from an expert. */
export function maskedScores(logits: Float32Array, router: ResolvedRouter): Float32Array {
  return scored(logits, router, Number.NEGATIVE_INFINITY)
}

/** Scores as the selection reads them, of scores that are 0 there. */
export function maskScores(scores: Float32Array, logits: Float32Array): Float32Array {
  if (!logits.includes(Number.NEGATIVE_INFINITY)) return scores
  return scores.map((score, i) => (logits[i] === Number.NEGATIVE_INFINITY ? Number.NEGATIVE_INFINITY : score))
}

function scored(logits: Float32Array, router: ResolvedRouter, masked: number): Float32Array {
  const { numExperts, scoreFunction, softmaxOrder } = router
  if (softmaxOrder === 'afterTopK') {
    refuseUnordered(logits, numExperts, 'route')
    return logits
  }
  return ordered(scoreRows(logits, numExperts, scoreFunction, masked), logits, numExperts, 'route')
}

/** A result that is undefined where a logit is NaN or +∞; that is refused with its position. */
export function ordered<T>(result: T | undefined, logits: Float32Array, width: number, who: string): T {
  if (result === undefined) refuseUnordered(logits, width, who)
  return result as T
}

/** Softmax over each row of `width` logits; a mask of −∞ gets 0. Throws an InputError, headed by `who`, on NaN and +∞. */
export function softmaxRows(logits: Float32Array, width: number, who: string): Float32Array {
  return ordered(scoreRows(logits, width, 'softmax', 0), logits, width, who)
}

/** Throws an InputError, headed by `who` and with the position, on a logit that is NaN or +∞. */
export function refuseUnordered(logits: Float32Array, width: number, who: string): void {
  for (let i = 0; i < logits.length; i++) {
    if (logits[i] < Infinity) continue
    throw new InputError(
      `${who}: the logit of token ${Math.floor(i / width)} for expert ${i % width} must be a number below +∞`,
      logits[i],
      'Use −∞ for a mask; else look for an overflow or a 0/0 upstream.',
    )
  }
}
