import { firstNotFinite } from '../arrays.js'
import { demand } from '../errors.js'

/** Refuses a bias that is not one finite value an expert. `who` is the router that asks, as its errors are headed. */
export function checkBias(who: string, bias: Float32Array, numExperts: number): void {
  demand(
    bias instanceof Float32Array && bias.length === numExperts,
    `${who}: bias must be a Float32Array of numExperts = ${numExperts} values`,
    bias,
    'Pass one value an expert; zeros are no bias.',
  )
  const odd = firstNotFinite(bias)
  demand(
    odd === numExperts,
    `${who}: the bias of expert ${odd} must be finite`,
    bias[odd],
    'A logit of −∞ masks an expert.',
  )
}
