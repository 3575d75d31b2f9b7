import { gumbel } from '../distributions.js'
import { demand } from '../errors.js'
import type { Draws } from '../random.js'
import type { RowStep } from './row-step.js'

/**
 * Multiplies every value by its own draw of U[1 − ε, 1 + ε]: on hidden states, `onHidden(router, jitter(1e-2))`, the
 * input jitter of Switch (ε = 1e-2), Mixtral, DeepSpeed and Megatron-LM, which applies it in evaluation too.
 * Throws an InputError unless 0 ≤ ε ≤ 1.
 */
export function jitter(epsilon: number): RowStep {
  demand(
    epsilon >= 0 && epsilon <= 1,
    'jitter: epsilon must be from 0 to 1',
    epsilon,
    'Use 1e-2; a larger one could turn signs.',
  )
  return noise('noise/jitter', (draws) => {
    const factor = (): number => 1 - epsilon + 2 * epsilon * draws.uniform()
    return (value) => value * factor()
  })
}

/**
 * Adds its own draw of U[1 − ε, 1 + ε] to every logit: the noise of FastMoE's `SwitchGate`, in training, with ε = 0.1. The 1
 * moves all experts of a token alike, which a softmax does not feel. Throws an InputError unless 0 ≤ ε ≤ 1.
 */
export function additiveJitter(epsilon: number): RowStep {
  demand(epsilon >= 0 && epsilon <= 1, 'additiveJitter: epsilon must be from 0 to 1', epsilon, 'Use 0.1.')
  return noise(
    'noise/additive-jitter',
    (draws) => (value) => value + 1 - epsilon + 2 * epsilon * draws.uniform(),
  )
}

/**
 * Adds N(0, 1) · σ / E to every logit, so that the noise shrinks as the experts grow in number: `gate_noise` of Tutel.
 * Throws an InputError unless σ is finite and at least 0.
 */
export function logitNoise(sigma: number): RowStep {
  demand(
    sigma >= 0 && sigma < Infinity,
    'logitNoise: sigma must be a finite number of at least 0',
    sigma,
    'Use 1, as Tutel does; it is divided by the number of experts.',
  )
  return noise('noise/normal', (draws, width) => (value) => value + (draws.normal() * sigma) / width)
}

/**
 * Adds Gumbel noise to every logit, which turns a top-1 into a draw from the softmax, and a top-k into k draws without
 * replacement. For selection only, `onSelection(switchTop1(…), gumbelNoise())`, it is DeepSpeed's policy 'RSample'.
 */
export function gumbelNoise(): RowStep {
  return noise('noise/gumbel', (draws) => (value) => value + gumbel(draws))
}

/**
 * A step that changes each value by draws of the stream of its kind: no two kinds of noise are made of the same numbers. That
 * two steps of a kind are not either is seen to where they are applied.
 */
function noise(
  stream: string,
  changeBy: (draws: Draws, width: number) => (value: number) => number,
): RowStep {
  return (rows, width, { random, layer, step }) => {
    const draws = random(stream, layer, step)
    const change = changeBy(draws, width)
    const changed = new Float32Array(rows.length)
    for (let i = 0; i < rows.length; i++) {
      if (i % width === 0) draws.at(i / width)
      changed[i] = change(rows[i])
    }
    return changed
  }
}
