import { demand, demandNothingElse } from '../errors.js'

export interface AdaptiveCoefficient {
  /** ξ, the coefficient wanted for each unit of drop rate; 1/5 unless given. */
  readonly ratio?: number
  /** The largest coefficient wanted; 0.01 unless given. */
  readonly most?: number
  /** β, how much of the old coefficient stays; 0.99 unless given. */
  readonly decay?: number
}

/**
 * The next coefficient of one layer's balance loss, from the share of its tokens that were dropped:
 * α ← β α + (1 − β) · min(ξ · dropRate, most). It fades out where nothing is dropped.
 *
 * Source: Skywork-MoE, arXiv 2406.06563. Throws an InputError on rates outside [0, 1] and on negative coefficients.
 */
export function adaptCoefficient(
  coefficient: number,
  dropRate: number,
  { ratio = 1 / 5, most = 0.01, decay = 0.99, ...rest }: AdaptiveCoefficient = {},
): number {
  demandNothingElse('adaptCoefficient: the options', rest)
  const atLeast0 = (name: string, value: number): void =>
    demand(
      value >= 0 && value < Infinity,
      `adaptCoefficient: ${name} must be a finite number of at least 0`,
      value,
      'Losses are added, not subtracted.',
    )
  const share = (name: string, value: number): void =>
    demand(
      value >= 0 && value <= 1,
      `adaptCoefficient: ${name} must be from 0 to 1`,
      value,
      'It is a share, not a count.',
    )
  atLeast0('coefficient', coefficient)
  atLeast0('ratio', ratio)
  atLeast0('most', most)
  share('dropRate', dropRate)
  share('decay', decay)
  return decay * coefficient + (1 - decay) * Math.min(ratio * dropRate, most)
}
