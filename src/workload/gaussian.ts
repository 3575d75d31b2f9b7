import { demand, demandNothingElse, demandWhole } from '../errors.js'
import { normalRows } from '../kernels/normal-rows.js'
import { normalQuantile } from '../normal.js'
import type { Workload } from './protocol.js'

export interface GaussianOptions {
  readonly numExperts: number
  /**
   * How unlike the experts are: of many experts, the standard deviation of their mean logits, which stand at the normal
   * quantiles skew · Φ⁻¹((e + ½) / E), so that expert 0 is the least wanted (of 8 it is 0.92 · skew). 0, the default, makes
   * routing fair; below 0 the order turns round, and the last expert is the least wanted.
   */
  readonly skew?: number
  /** Mean logits [E] of one's own instead. */
  readonly offsets?: ArrayLike<number>
  /** Standard deviation of the logits of one expert; 1 unless given. */
  readonly spread?: number
}

export interface HiddenGaussianOptions {
  /** D */
  readonly hiddenSize: number
  /** Mean hidden state [D]; 0 unless given. */
  readonly offsets?: ArrayLike<number>
  /** Standard deviation of each value; 1 unless given. */
  readonly spread?: number
}

/** Independent tokens: logit of token t for expert e = offset_e + spread · N(0, 1). */
export function gaussian(options: GaussianOptions): Workload {
  const { numExperts, skew = 0, offsets, ...others } = options
  demandWhole('gaussian: numExperts', numExperts, 1, 1 << 20, 'Give the router’s number of experts.')
  demand(
    Number.isFinite(skew),
    'gaussian: skew must be a finite number',
    skew,
    'Use 0.5 for a clear imbalance.',
  )
  const means = offsets ?? normalScores(numExperts).map((score) => skew * score)
  return normals('gaussian', 'numExperts', numExperts, means, others, 'logits')
}

/**
 * Independent tokens: hidden states [T, D] of offset_i + spread · N(0, 1), for a router with weights of its own. Through a
 * `linearRouter` whose weights are N(0, 1 / D), the logits are nearly N(0, 1).
 */
export function hiddenGaussian(options: HiddenGaussianOptions): Workload {
  const { hiddenSize, offsets, ...others } = options
  demandWhole('hiddenGaussian: hiddenSize', hiddenSize, 1, 1 << 20, 'Give the router’s width D.')
  const means = offsets ?? new Float64Array(hiddenSize)
  return normals('hiddenGaussian', 'hiddenSize', hiddenSize, means, others, 'hidden')
}

function normals(
  who: string,
  widthName: string,
  width: number,
  offsets: ArrayLike<number>,
  others: { readonly spread?: number },
  of: 'logits' | 'hidden',
): Workload {
  const { spread = 1, ...rest } = others
  demandNothingElse(`${who}: the options`, rest)
  demand(Number.isFinite(spread), `${who}: spread must be a finite number`, spread, 'Leave it out for 1.')
  demand(
    offsets.length === width,
    `${who}: offsets must hold ${widthName} = ${width} values`,
    offsets,
    `Give one mean ${of === 'logits' ? 'logit an expert' : 'for each'}.`,
  )
  const drawn = { means: Float64Array.from(offsets), spread, of }
  const draw: Workload = ({ tokens, layer, step, random }) => ({
    tokens,
    [of]: normalRows(random('workload', layer, step), [{ tokens, means: drawn.means }], width, spread),
  })
  return Object.assign(draw, { normals: drawn })
}

/** Φ⁻¹((i + ½) / n): n values spread as n draws of a standard normal would be on average, in ascending order. */
function normalScores(n: number): Float64Array {
  return Float64Array.from({ length: n }, (_, i) => normalQuantile((i + 0.5) / n))
}
