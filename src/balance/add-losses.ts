import { demand } from '../errors.js'
import type { Logits, Loss } from './loss.js'

/**
 * The sum of losses of the same logits, each with a coefficient of its own: values added, gradients added in float64 and
 * rounded once. Megatron-LM's list of loss types. Throws an InputError without losses or if their gradients differ in
 * length.
 */
export function addLosses<A extends Logits>(losses: readonly Loss<A>[]): Loss<A> {
  demand(losses.length > 0, 'addLosses: there must be a loss', losses, 'Give the losses to add.')
  const sum = new Float64Array(losses[0].gradient.length)
  let value = 0
  for (const loss of losses) {
    demand(
      loss.gradient.length === sum.length,
      `addLosses: gradients must be of one length, ${sum.length}`,
      loss.gradient,
      'Add losses of the same logits.',
    )
    value += loss.value
    for (let i = 0; i < sum.length; i++) sum[i] += loss.gradient[i]
  }
  return { value, gradient: new (losses[0].gradient.constructor as new (from: Float64Array) => A)(sum) }
}
