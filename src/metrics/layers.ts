import { addTo } from '../arrays.js'
import { demand } from '../errors.js'
import { mean } from '../stats.js'
import type { BalanceFigures } from './load.js'
import { balanceOf, maxViolation } from './load.js'

/** The load of each layer, views into [L, E]. */
export function layersOf<A extends Int32Array | Float32Array | Float64Array>(
  load: A,
  numExperts: number,
): A[] {
  demand(
    load.length % numExperts === 0 && load.length > 0,
    `layersOf: load must be [L, E], whole rows of numExperts = ${numExperts}`,
    load,
    'Lay the layers one after another.',
  )
  const count = load.length / numExperts
  return Array.from(
    { length: count },
    (_, layer) => load.subarray(layer * numExperts, (layer + 1) * numExperts) as A,
  )
}

/** MaxVio of a load [L, E] as papers quote it: per layer, then the mean over layers. Wang et al., arXiv 2408.15664, §3. */
export function meanMaxViolation(load: Int32Array, numExperts: number): number {
  return mean(layersOf(load, numExperts).map(maxViolation))
}

/**
 * Global MaxVio: the loads [L, E] of many batches summed first, then MaxVio per layer, then the mean over layers. It is
 * far below the mean of the batches' own: chance averages out, and so does what batches do in turns.
 */
export function globalMaxViolation(loads: Iterable<Int32Array>, numExperts: number): number {
  return meanMaxViolation(sumLoads(loads), numExperts)
}

/** The sum of loads of one length. Throws an InputError on none, or on lengths that differ. */
export function sumLoads(loads: Iterable<Int32Array>): Int32Array {
  let sum: Int32Array | undefined
  for (const load of loads) {
    sum ??= new Int32Array(load.length)
    demand(
      load.length === sum.length,
      `sumLoads: every load must hold ${sum.length} counts, as the first`,
      load,
      'Sum loads of one model only.',
    )
    addTo(sum, load)
  }
  demand(
    sum !== undefined,
    'sumLoads: there must be at least one load',
    0,
    'Collect the loads of a step first.',
  )
  return sum
}

/** Every figure of a load [L, E], averaged over layers. */
export function balanceOfLayers(load: Int32Array, numExperts: number): BalanceFigures {
  const figures = layersOf(load, numExperts).map(balanceOf)
  const names = Object.keys(figures[0]) as (keyof BalanceFigures)[]
  const means = names.map((name) => [name, mean(figures.map((figure) => figure[name]))])
  return Object.fromEntries(means) as BalanceFigures
}
