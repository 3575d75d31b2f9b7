import { demand, demandWhole } from '../errors.js'
import { joinRoutings, type Routing } from '../router/routing.js'
import { refuseFillers } from './pad.js'

/**
 * Applies a capacity to `groups` contiguous parts of the batch, each on its own: GShard and flaxformer do so with groups
 * of tokens, Hugging Face's Switch with sequences, every data-parallel rank with its own tokens. The load of fewer tokens
 * is more uneven, so that the same factor drops more. `bound` gets each part, T / groups tokens, and its number; it may
 * pad the part, and fillers add up; what it draws at random by token it should draw by the token's place in the batch:
 * `randomOrder(part, draws, group * part.tokens)`. Throws an InputError on groups that do not divide the tokens, and on a
 * routing padded before.
 */
export function groupwise(
  routing: Routing,
  groups: number,
  bound: (part: Routing, group: number) => Routing,
): Routing {
  const { experts, weights, dropped, scores, sharedWeights } = routing
  demandWhole('groupwise: groups', groups, 1, Math.max(1, routing.tokens), 'A group has a token at least.')
  refuseFillers('groupwise', routing)
  const tokens = routing.tokens / groups
  demand(
    Number.isInteger(tokens),
    `groupwise: groups must divide the ${routing.tokens} tokens`,
    groups,
    'Groups are contiguous and of one size.',
  )
  const parts = Array.from({ length: groups }, (_, group) => ({
    ...routing,
    tokens,
    experts: partOf(experts, group, groups),
    weights: partOf(weights, group, groups),
    dropped: group === 0 ? dropped : 0,
    ...(scores && { scores: partOf(scores, group, groups) }),
    ...(sharedWeights && { sharedWeights: partOf(sharedWeights, group, groups) }),
  }))
  return joinRoutings(parts.map(bound))
}

/** The rows of a group, of an array that has rows of one width for all tokens. */
function partOf<A extends Int32Array | Float32Array>(rows: A, group: number, groups: number): A {
  const length = rows.length / groups
  return rows.slice(group * length, (group + 1) * length) as A
}
