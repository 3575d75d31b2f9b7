import { demand, demandNothingElse, demandWhole } from '../errors.js'

export interface FlaxformerGroupsOptions {
  /** The tokens that a group should have at most. */
  readonly mostTokens: number
  readonly numExperts: number
  /** Copies of each expert, along the data axis of the devices; 1 unless given. */
  readonly replicas?: number
}

/**
 * How many groups flaxformer makes of a batch, for `groupwise`: the smallest multiple of numExperts · replicas that divides
 * the tokens and is ⌊tokens / mostTokens⌋ at least. Where that is rounded down, groups can be larger than mostTokens.
 *
 * Source: flaxformer `_num_groups`, which has these rules, but where no number meets them comes to an end at groups of one
 * token each, and gives that. Here it is refused: such groups cannot be dealt out to the experts evenly.
 */
export function flaxformerGroups(tokens: number, options: FlaxformerGroupsOptions): number {
  const who = 'flaxformerGroups'
  const { mostTokens, numExperts, replicas = 1, ...rest } = options
  demandNothingElse(`${who}: the options`, rest)
  demandWhole(`${who}: tokens`, tokens, 1, 1 << 28, 'It is the tokens of all devices.')
  demandWhole(`${who}: mostTokens`, mostTokens, 1, 1 << 28, 'It is the largest size of a group.')
  demandWhole(`${who}: numExperts`, numExperts, 1, 1 << 20, 'It is the number of routed experts.')
  demandWhole(`${who}: replicas`, replicas, 1, 1 << 20, 'Use 1 where each expert lives once.')
  const unit = numExperts * replicas
  let groups = Math.max(1, Math.ceil(Math.floor(tokens / mostTokens) / unit)) * unit
  while (groups < tokens && tokens % groups !== 0) groups += unit
  demand(
    tokens % groups === 0,
    `${who}: tokens must have a divisor that is a multiple of numExperts · replicas = ${unit}`,
    tokens,
    'Use a multiple of it.',
  )
  return groups
}
