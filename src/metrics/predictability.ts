import { demand } from '../errors.js'
import { demandLoad } from './demand-load.js'

/** How well one load [E] foretells another: of the window before, or of the layer before. */
export interface Predictability {
  readonly cosine: number
  /** Rank correlation, equal loads at their mean rank; 0 where all loads of one side are equal. */
  readonly spearman: number
  /** Share of the busiest ⌊E / 8⌋ experts, at least one, that are so in both; ties to the lower index. By chance 1/8. */
  readonly hotOverlap: number
}

/**
 * Compares a predicted load with the actual one. Source: Megatron-LM, `tools/moe_routing`. Throws an InputError on loads of
 * other lengths, and on one that is not finite, or below 0.
 */
export function predictability(predicted: ArrayLike<number>, actual: ArrayLike<number>): Predictability {
  demand(
    predicted.length === actual.length && actual.length > 0,
    `predictability: both loads must be [E], of one length, here ${actual.length}`,
    predicted,
    'Compare loads of one model.',
  )
  for (const load of [predicted, actual]) demandLoad('predictability', load)
  const hot = Math.max(1, Math.floor(actual.length / 8))
  const hotPredicted = busiestFirst(predicted).slice(0, hot)
  const hotActual = busiestFirst(actual).slice(0, hot)
  return {
    cosine: cosine(predicted, actual),
    spearman: cosine(centredRanks(predicted), centredRanks(actual)),
    hotOverlap: hotActual.filter((expert) => hotPredicted.includes(expert)).length / hot,
  }
}

function busiestFirst(load: ArrayLike<number>): number[] {
  return Array.from({ length: load.length }, (_, e) => e).sort((a, b) => load[b] - load[a]) // a stable sort
}

/** 0 where one side is all 0. */
function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let product = 0
  let squaresA = 0
  let squaresB = 0
  for (let i = 0; i < a.length; i++) {
    product += a[i] * b[i]
    squaresA += a[i] * a[i]
    squaresB += b[i] * b[i]
  }
  return product === 0 ? 0 : product / Math.sqrt(squaresA * squaresB)
}

/** Ranks less their mean; equal loads share the mean of their ranks. */
function centredRanks(load: ArrayLike<number>): Float64Array {
  const order = busiestFirst(load)
  const ranks = new Float64Array(load.length)
  for (let first = 0, next = 0; first < order.length; first = next) {
    while (next < order.length && load[order[next]] === load[order[first]]) next++
    for (let place = first; place < next; place++) {
      ranks[order[place]] = (first + next - 1) / 2 - (load.length - 1) / 2
    }
  }
  return ranks
}
