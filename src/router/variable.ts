import type { Routing } from './routing.js'
import { topK } from './top-k.js'

/**
 * The routing of a varying number of experts a token: all whose key [T, E] is above −∞, best key first, with their
 * weights from [T, E]. Rows are padded with −1 to the widest, which has one slot at least.
 */
export function routeAllOpen(keys: Float32Array, weights: Float32Array, numExperts: number): Routing {
  const tokens = keys.length / numExperts
  let widest = 1
  for (let row = 0; row < keys.length; row += numExperts) {
    let open = 0
    for (let e = 0; e < numExperts; e++) if (keys[row + e] !== Number.NEGATIVE_INFINITY) open++
    widest = Math.max(widest, open)
  }
  const experts = topK(keys, numExperts, widest)
  const chosen = Float32Array.from(experts, (expert, slot) =>
    expert < 0 ? 0 : weights[Math.floor(slot / widest) * numExperts + expert],
  )
  return { tokens, topK: widest, numExperts, experts, weights: chosen, dropped: 0 }
}
