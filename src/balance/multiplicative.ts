import { type BiasBalanceOptions, type BiasState, biasBalance } from './bias.js'
import type { Balance } from './protocol.js'

/**
 * A bias that multiplies: it starts at 1 and moves as that of `biasBalance` does, and `multiplicativeRouter` selects on
 * score × bias.
 *
 * `center` subtracts the mean from every update here, too; unlike that of a sum, it may change what is selected. A bias that
 * has fallen to 0 is refused there; at u = 1e-3 that takes a thousand updates against one expert.
 *
 * Source: Wang et al., arXiv 2408.15664, table 4. Throws an InputError on options that contradict one another.
 */
export function multiplicativeBalance(options: BiasBalanceOptions): Balance<BiasState> {
  return {
    ...biasBalance(options),
    init: (numExperts) => ({ bias: new Float32Array(numExperts).fill(1), updates: 0 }),
  }
}
