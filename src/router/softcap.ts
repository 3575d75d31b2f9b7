import { demand } from '../errors.js'
import { tanh } from '../math.js'
import type { RowStep } from './row-step.js'

/**
 * Keeps logits within ±cap, smoothly: z ← cap · tanh(z / cap). Masked experts, −∞, stay masked. Source: Laguna's router
 * in Hugging Face transformers. Throws an InputError on a cap that is not finite and above 0.
 */
export function softcap(cap: number): RowStep {
  demand(
    cap > 0 && cap < Infinity,
    'softcap: cap must be a finite number above 0',
    cap,
    'Use the largest logit wanted, such as 30.',
  )
  return (logits) => logits.map((z) => (z === Number.NEGATIVE_INFINITY ? z : cap * tanh(z / cap)))
}
