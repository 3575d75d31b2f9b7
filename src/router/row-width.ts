import { demand } from '../errors.js'

/** D of weights [E, D], one row an expert; `name` is of the argument, such as 'routerLogits: weight'. Refuses other lengths. */
export function rowWidth(name: string, weights: Float32Array, numExperts: number): number {
  const width = weights.length / numExperts
  const holds = Number.isInteger(width) && width > 0
  const rule = `${name} must hold numExperts = ${numExperts} rows`
  demand(holds, rule, weights, 'Lay out one row an expert, all of one width.')
  return width
}
