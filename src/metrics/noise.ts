import { demand } from '../errors.js'
import { exp } from '../math.js'
import { normalQuantile } from '../normal.js'

/**
 * The share of tokens whose set of experts changes when each of their standard normal logits moves by an independent
 * N(0, noise²): E · φ(q) · noise / √π, q being the upper K/E quantile. To first order: for shares up to about 0.1.
 *
 * E · φ(q) experts lie around the threshold per unit of logit: 12.5 of 128 of which 6 are chosen, 15.7 where 8 are. There
 * 10 % of the sets change at a noise of 1.1 % of the spread of the logits. Throws an InputError unless 0 < K < E, and on a
 * noise below 0.
 */
export function expectedSetChanges(
  { numExperts: E, topK: K }: { numExperts: number; topK: number },
  noise: number,
): number {
  demand(
    K > 0 && K < E,
    `expectedSetChanges: topK must lie between 0 and ${E}`,
    K,
    'All or none never changes.',
  )
  demand(noise >= 0, 'expectedSetChanges: noise must be at least 0', noise, 'It is a standard deviation.')
  const q = normalQuantile(K / E)
  return (E * exp((-q * q) / 2) * noise) / Math.sqrt(2 * Math.PI) / Math.sqrt(Math.PI)
}
