import { demand, demandNothingElse, demandWhole } from '../errors.js'
import { normalRows } from '../kernels/normal-rows.js'
import { normalQuantile } from '../normal.js'
import type { Workload } from './protocol.js'

export interface GaussianOptions {
  readonly numExperts: number
  /**
   * How unlike the experts are: the standard deviation of their mean logits, which stand at the normal quantiles
   * skew · Φ⁻¹((e + ½) / E), so that expert 0 is the least wanted. 0, the default, makes routing fair.
   */
  readonly skew?: number
  /** Mean logits [E] of one's own instead. */
  readonly offsets?: ArrayLike<number>
  /** Standard deviation of the logits of one expert; 1 unless given. */
  readonly spread?: number
}

/** Independent tokens: logit of token t for expert e = offset_e + spread · N(0, 1). */
export function gaussian(options: GaussianOptions): Workload {
  const { numExperts, skew = 0, spread = 1, offsets: given, ...rest } = options
  demandNothingElse('gaussian: the options', rest)
  demandWhole('gaussian: numExperts', numExperts, 1, 1 << 20, 'Give the router’s number of experts.')
  demand(
    Number.isFinite(skew),
    'gaussian: skew must be a finite number',
    skew,
    'Use 0.5 for a clear imbalance.',
  )
  demand(Number.isFinite(spread), 'gaussian: spread must be a finite number', spread, 'Leave it out for 1.')
  const offsets = given ?? normalScores(numExperts).map((score) => skew * score)
  demand(
    offsets.length === numExperts,
    `gaussian: offsets must hold numExperts = ${numExperts} values`,
    offsets,
    'Give one mean logit an expert.',
  )
  const means = Float64Array.from(offsets)
  const draw: Workload = ({ tokens, layer, step, random }) => ({
    tokens,
    logits: normalRows(random('workload', layer, step), tokens, means, spread),
  })
  return Object.assign(draw, { normals: { means, spread } })
}

/** Φ⁻¹((i + ½) / n): n values spread as n draws of a standard normal would be on average, in ascending order. */
function normalScores(n: number): Float64Array {
  return Float64Array.from({ length: n }, (_, i) => normalQuantile((i + 0.5) / n))
}
