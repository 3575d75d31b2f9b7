import { demandNothingElse, demandWhole } from '../errors.js'
import { balancedAssignment } from './assignment.js'
import { logitsOf } from './logits.js'
import type { Router } from './protocol.js'
import { routeAt } from './route-at.js'

/**
 * BASE layers, as in training: each token gets one expert by `balancedAssignment` of the batch, with weight
 * α = σ(logit). The layer's output is α · expert(x) + (1 − α) · x. No bias is read, and balance is perfect.
 *
 * In evaluation it is the best expert of each token, which is `route` with `topK` 1, sigmoid and `normalize` false.
 * Source: Lewis et al., arXiv 2103.16716; fairseq `BaseLayer`. Throws an InputError on logits that are missing, do not
 * fit, are NaN or +∞, or whose masks leave no balanced assignment.
 */
export function baseLayer(options: { readonly numExperts: number }): Router {
  const { numExperts, ...rest } = options
  demandNothingElse('baseLayer: the options', rest)
  demandWhole('baseLayer: numExperts', numExperts, 1, 1 << 12, 'It is the number of routed experts.')
  const router = { numExperts, topK: 1, scoreFunction: 'sigmoid', normalize: false, scale: 1 } as const
  return (batch) => {
    const logits = logitsOf(batch, numExperts, 'baseLayer')
    return routeAt(logits, balancedAssignment(logits, numExperts).experts, router)
  }
}
