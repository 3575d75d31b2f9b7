import type { Optimizer, serialization, Tensor, Variable } from '@tensorflow/tfjs'
import { demand, demandNothingElse, type Schedule } from '../index.js'
import { installed, type Tf } from './tfjs.js'

export interface AdamWOptions {
  /** η, the learning rate. A schedule, such as `wsdSchedule`, gets the steps so far. */
  readonly rate: number | Schedule
  /** Decay of the mean gradient and of the mean squared one; 0.9 and 0.999 unless given, 0.9 and 0.95 in large models. */
  readonly beta1?: number
  readonly beta2?: number
  /** Added to the root of the mean squared gradient; 1e-8 unless given. */
  readonly epsilon?: number
  /** λ: each step takes η · λ of every matrix away, and nothing of vectors and scalars; 0, plain Adam, unless given. */
  readonly weightDecay?: number
  /** Your own tfjs object; the installed one unless given. */
  readonly tf?: Tf
}

/** What Adam remembers of a variable. */
interface Moments {
  readonly first: Variable
  readonly second: Variable
  /** β₁ᵗ and β₂ᵗ after t steps: how much of the zeros that the moments began with is still in them. */
  firstZeros: number
  secondZeros: number
}

/**
 * Adam with decoupled weight decay and a learning-rate schedule, as an optimizer of tfjs:
 * w ← w − η (m̂ / (√v̂ + ε) + λ w).
 *
 * tfjs's own Adam has neither, and finds the moments of a weight by its place among those with a gradient: freeze one in
 * between and the others go on with wrong ones. Here moments belong to the variable, and a frozen one's wait for it.
 *
 * Source: Loshchilov and Hutter, arXiv 1711.05101, algorithm 2, with λ multiplied by η as in `torch.optim.AdamW`.
 * Throws an InputError on options out of range.
 */
export function adamW(options: AdamWOptions): Optimizer {
  const {
    rate,
    beta1 = 0.9,
    beta2 = 0.999,
    epsilon = 1e-8,
    weightDecay = 0,
    tf = installed,
    ...rest
  } = options
  demandNothingElse('adamW: the options', rest)
  demand(
    typeof rate === 'function' || (Number.isFinite(rate) && rate >= 0),
    'adamW: rate must be a number of at least 0 or a schedule',
    rate,
    'Use 1e-3, or wsdSchedule.',
  )
  for (const [name, value] of Object.entries({ beta1, beta2 })) {
    demand(
      value >= 0 && value < 1,
      `adamW: ${name} must be at least 0 and below 1`,
      value,
      'Use 0.9 and 0.95.',
    )
  }
  for (const [name, value] of Object.entries({ epsilon, weightDecay })) {
    demand(
      Number.isFinite(value) && value >= 0,
      `adamW: ${name} must be at least 0 and finite`,
      value,
      'Use 1e-8 for epsilon, 0.1 for weightDecay, or leave it out.',
    )
  }

  class AdamW extends tf.Optimizer {
    static readonly className = 'AdamW'
    readonly #moments = new Map<string, Moments>()

    override applyGradients(gradients: Parameters<Optimizer['applyGradients']>[0]): void {
      const named: [string, Tensor | undefined][] = Array.isArray(gradients)
        ? gradients.map(({ name, tensor }) => [name, tensor])
        : Object.entries(gradients)
      const eta = typeof rate === 'function' ? rate(this.iterations) : rate
      for (const [name, gradient] of named) {
        if (gradient) tf.tidy(() => this.#move(name, gradient, eta)) // a frozen variable has none
      }
      this.incrementIterations()
    }

    #move(name: string, gradient: Tensor, eta: number): void {
      const variable = tf.engine().registeredVariables[name]
      const moments = this.#moments.get(name) ?? this.#begin(name, variable)
      const { first, second } = moments
      moments.firstZeros *= beta1
      moments.secondZeros *= beta2
      first.assign(tf.add(tf.mul(first, beta1), tf.mul(gradient, 1 - beta1)))
      second.assign(tf.add(tf.mul(second, beta2), tf.mul(tf.square(gradient), 1 - beta2)))
      const mean = tf.div(first, 1 - moments.firstZeros)
      const size = tf.sqrt(tf.div(second, 1 - moments.secondZeros))
      const kept = variable.rank < 2 ? variable : tf.mul(variable, 1 - eta * weightDecay)
      variable.assign(tf.sub(kept, tf.mul(tf.div(mean, tf.add(size, epsilon)), eta)))
    }

    #begin(name: string, variable: Variable): Moments {
      const [first, second] = [tf.zerosLike(variable).variable(false), tf.zerosLike(variable).variable(false)]
      const moments = { first, second, firstZeros: 1, secondZeros: 1 }
      this.#moments.set(name, moments)
      return moments
    }

    override getConfig(): serialization.ConfigDict {
      return { beta1, beta2, epsilon, weightDecay }
    }

    override dispose(): void {
      for (const { first, second } of this.#moments.values()) tf.dispose([first, second])
      this.#moments.clear()
    }
  }
  return new AdamW()
}
