import { checkBias } from './check-bias.js'
import { type RouterConfig, resolveRouter } from './config.js'
import { logitsOf } from './logits.js'
import type { Router } from './protocol.js'
import { routingTo } from './routing-to.js'
import { scoreLogits } from './score.js'
import { selectExperts } from './select.js'

/**
 * A top-k router that adds the bias to the logits instead of the scores: key float32(logit + bias), for groups too;
 * weights are the config's own. The road of Megatron-LM's quantile balancing, of vLLM's rank penalty, and of any bias
 * with softmax 'afterTopK', which has no scores before it selects. Balance rules see the logits as scores.
 *
 * Source: Megatron-LM `TopKRouter.quantile_balancing`. Throws an InputError where `route` would, but for that softmax.
 */
export function biasedLogitRouter(config: RouterConfig): Router {
  const router = resolveRouter(config)
  const { numExperts } = router
  return (batch, bias) => {
    const logits = logitsOf(batch, numExperts, 'biasedLogitRouter')
    checkBias('biasedLogitRouter', bias, numExperts)
    const scores = scoreLogits(logits, router)
    const experts = selectExperts(logits, logits, router, bias)
    return routingTo(experts, scores, router, logits)
  }
}
