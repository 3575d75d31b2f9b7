import { demand } from '../errors.js'
import { checkBias } from './check-bias.js'
import { type RouterConfig, resolveRouter } from './config.js'
import { logitsOf } from './logits.js'
import type { Router } from './protocol.js'
import { routingTo } from './routing-to.js'
import { maskScores, scoreLogits } from './score.js'
import { selectExperts } from './select.js'

/**
 * Top-k with a bias that multiplies: the selection key is float32(score · bias), and the bias that changes nothing is 1.
 * It scores groups too; the weights are those of the scores alone, as always.
 *
 * Source: Wang et al., arXiv 2408.15664, table 4. Throws an InputError on a bias that is not finite and above 0, such as
 * the zeros of `noBalance`, and on softmax 'afterTopK', whose scores are logits and may be negative.
 */
export function multiplicativeRouter(router: RouterConfig): Router {
  const resolved = resolveRouter(router)
  const { numExperts, softmaxOrder } = resolved
  demand(
    softmaxOrder === 'beforeTopK',
    'multiplicativeRouter: scores must not be logits, which may be negative',
    softmaxOrder,
    'Leave softmaxOrder out.',
  )
  return (batch, bias) => {
    const logits = logitsOf(batch, numExperts, 'multiplicativeRouter')
    checkBias('multiplicativeRouter', bias, numExperts)
    const odd = bias.findIndex((factor) => factor <= 0)
    demand(
      odd < 0,
      `multiplicativeRouter: the bias of expert ${odd} must be above 0`,
      bias[odd],
      'Use a balance rule whose bias starts at 1.',
    )
    const scores = scoreLogits(logits, resolved)
    const keys = scores.map((score, i) => score * bias[i % numExperts])
    const experts = selectExperts(keys, logits, resolved)
    return routingTo(experts, scores, resolved, maskScores(scores, logits))
  }
}
