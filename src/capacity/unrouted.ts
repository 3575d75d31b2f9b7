import type { Routing } from '../router/routing.js'

/**
 * How many tokens no routed expert adds anything to: every slot is empty, or a filler of weight 0. Not `dropped`, which
 * counts assignments: a token of six experts that loses one is not lost.
 */
export function unroutedTokens({ tokens, topK, weights }: Routing): number {
  let unrouted = 0
  for (let token = 0; token < tokens; token++) {
    const end = (token + 1) * topK
    let slot = token * topK
    while (slot < end && weights[slot] === 0) slot++
    if (slot === end) unrouted++
  }
  return unrouted
}
