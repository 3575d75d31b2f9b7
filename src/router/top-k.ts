import { demand, demandWhole } from '../errors.js'
import { selectBest } from '../kernels/select-best.js'

/**
 * The indices of the `topK` largest keys of each row, [T, K]: largest first, ties to the lower index. `keys` is [T, E].
 * A key of −∞ is never chosen; with fewer than K others, the last slots are −1.
 *
 * It is how every router here selects that ranks experts by one key each. Throws an InputError on lengths that do not
 * fit, and on NaN, which has no rank.
 */
export function topK(keys: Float32Array, numExperts: number, topK: number): Int32Array {
  demandWhole('topK: numExperts', numExperts, 1, 1 << 20, 'It is the width of a row of keys.')
  demandWhole('topK: topK', topK, 1, numExperts, 'A token cannot choose more experts than there are.')
  demand(
    keys.length % numExperts === 0,
    `topK: keys must hold rows of numExperts = ${numExperts} values`,
    keys,
    'Lay them out as [T, E], one row a token.',
  )
  const odd = keys.findIndex(Number.isNaN)
  demand(odd < 0, `topK: the key at ${odd} must be a number`, keys[odd], 'Look for a 0/0 upstream.')
  const tokens = keys.length / numExperts
  const experts = new Int32Array(tokens * topK)
  const bestKeys = new Float32Array(topK)
  for (let token = 0; token < tokens; token++) {
    const row = token * numExperts
    selectBest(keys, row, row + numExperts, bestKeys, experts, token * topK)
  }
  return experts
}
