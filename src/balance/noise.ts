import { demand } from '../errors.js'
import { gatherRows, type ValidTokens } from './loss.js'

/** The logits of the valid tokens with what the router added to them, [tokens, E]. Throws an InputError if it does not fit. */
export function addNoise(batch: ValidTokens, noise: ArrayLike<number>): Float64Array {
  const kept = gatherLike(batch, 'noise', noise)
  const odd = kept.findIndex((value) => !Number.isFinite(value))
  demand(
    odd < 0,
    `${batch.who}: noise must be finite`,
    kept[odd],
    'Give what the router added to the logits.',
  )
  return batch.logits.map((logit, i) => logit + kept[i])
}

/** The standard deviations of that noise, [tokens, E]. Throws an InputError unless they are above 0. */
export function deviationsOf(batch: ValidTokens, deviation: ArrayLike<number>): Float64Array {
  const kept = gatherLike(batch, 'deviation', deviation)
  const odd = kept.findIndex((value) => !(value > 0 && value < Infinity))
  demand(
    odd < 0,
    `${batch.who}: deviation must be finite and above 0`,
    kept[odd],
    'A router without noise has no smooth load: use importanceLoss.',
  )
  return kept
}

function gatherLike(batch: ValidTokens, name: string, values: ArrayLike<number>): Float64Array {
  const { who, numExperts, rows, allTokens } = batch
  demand(
    values.length === allTokens * numExperts,
    `${who}: ${name} must hold ${allTokens} tokens × ${numExperts} experts`,
    values,
    'Lay it out as the logits.',
  )
  return gatherRows(values, numExperts, rows)
}
