import { demandNothingElse, demandWhole } from '../errors.js'
import { logitsOf } from './logits.js'
import type { Router } from './protocol.js'
import { refuseUnordered } from './score.js'
import { routeAllOpen } from './variable.js'

/**
 * ReLU routing: a token takes every expert whose logit is above 0, with that logit as its weight, so that the weights
 * have no jump anywhere. The number of experts varies, and may be none; `sparsityController` holds its mean at K through
 * the coefficient of `reluRegularizer`. No bias is read.
 *
 * Source: Wang et al., ReMoE, arXiv 2412.14711; thu-ml/ReMoE `ReLURouter`. Throws an InputError on logits that are
 * missing, do not fit, or are NaN or +∞.
 */
export function reluRouter(options: { readonly numExperts: number }): Router {
  const { numExperts, ...rest } = options
  demandNothingElse('reluRouter: the options', rest)
  demandWhole('reluRouter: numExperts', numExperts, 1, 1 << 20, 'It is the number of routed experts.')
  return (batch) => {
    const logits = logitsOf(batch, numExperts, 'reluRouter')
    refuseUnordered(logits, numExperts, 'reluRouter')
    const keys = logits.map((logit) => (logit > 0 ? logit : Number.NEGATIVE_INFINITY))
    return routeAllOpen(keys, logits, numExperts)
  }
}
