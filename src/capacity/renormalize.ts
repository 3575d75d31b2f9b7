import { demand, demandNothingElse } from '../errors.js'
import type { Routing } from '../router/routing.js'

/**
 * Divides each token's weights by their sum, so that what a capacity has left of them sums to `scale` again.
 *
 * A sum below `clamp` is taken for `clamp`, which keeps a token without any expert at 0. The default is that of
 * DeepSpeed's `top2gating` and `topkgating`, which renormalise after the drop: 2^-23, the epsilon of float32. In slot
 * order: float64 sum, one division, times scale, rounded once to float32.
 */
export function renormalize(
  routing: Routing,
  { scale = 1, clamp = 1 / 8388608, ...rest }: { scale?: number; clamp?: number } = {},
): Routing {
  demandNothingElse('renormalize: the options', rest)
  demand(Number.isFinite(scale), 'renormalize: scale must be a finite number', scale, 'Use 1 for no scaling.')
  demand(
    clamp > 0 && clamp < Infinity,
    'renormalize: clamp must be a finite number above 0',
    clamp,
    'Leave it out for 2^-23; it stands between a token without experts and 0/0.',
  )
  const { topK } = routing
  const weights = new Float32Array(routing.weights.length)
  for (let first = 0; first < weights.length; first += topK) {
    let sum = 0
    for (let slot = first; slot < first + topK; slot++) sum += routing.weights[slot]
    const divisor = Math.max(sum, clamp)
    for (let slot = first; slot < first + topK; slot++)
      weights[slot] = (routing.weights[slot] / divisor) * scale
  }
  return { ...routing, weights }
}
