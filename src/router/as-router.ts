import { type RouterConfig, resolveRouter } from './config.js'
import { logitsOf } from './logits.js'
import type { Router } from './protocol.js'
import { routeScored } from './route.js'

/**
 * A router config as the function that routes by it, for what takes or wraps router functions; a function stays as it
 * is. Throws an InputError on a config that contradicts itself.
 */
export function asRouter(router: Router | RouterConfig): Router {
  if (typeof router === 'function') return router
  const { numExperts } = resolveRouter(router)
  return (batch, bias) => routeScored(logitsOf(batch, numExperts, 'route'), router, biasUsed(router, bias))
}

/** Softmax after top-k takes no bias at all; a rule that leaves it at 0, such as `noBalance`, is not one. */
export function biasUsed(router: RouterConfig, bias: Float32Array): Float32Array | undefined {
  return router.softmaxOrder === 'afterTopK' && bias.every((value) => value === 0) ? undefined : bias
}
