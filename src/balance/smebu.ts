import { demand, demandNothingElse, orNone } from '../errors.js'
import { tanh } from '../math.js'
import { mean } from '../stats.js'
import { center } from './center.js'
import type { Balance, Schedule } from './protocol.js'
import { demandRate, rateAt } from './rate.js'

export interface SmebuOptions {
  /** λ, the largest step of a bias. */
  readonly rate: number | Schedule
  /** κ: how early the step saturates; 2 unless given. Towards ∞ it is the sign rule. */
  readonly kappa?: number
  /** β, the share of the last step in the next; 0.5 unless given. 0: none. */
  readonly momentum?: number
}

/** The biases and their last steps, float32 [E] each, and how many updates made them. */
export interface SmebuState {
  readonly bias: Float32Array
  readonly velocity: Float32Array
  readonly updates: number
}

/**
 * Soft-clamped momentum expert bias updates: with v = (mean load − load) / mean load, each step is λ · tanh(κ · v) less
 * its mean over experts; m ← β · m + (1 − β) · step; b ← b + m. Unlike the sign rule its steps vanish at balance, and
 * unlike the proportional one they are bounded.
 *
 * Source: Arcee Trinity Large, arXiv 2602.17004. Steps are float64 rounded to float32, the state is float32. Throws an
 * InputError on a rate or κ that is not finite and on a momentum outside [0, 1).
 */
export function smebuBalance(options: SmebuOptions): Balance<SmebuState> {
  const { rate, kappa = 2, momentum = 0.5, ...rest } = orNone(options)
  demandNothingElse('smebuBalance: the options', rest)
  demandRate('smebuBalance', rate)
  demand(
    kappa > 0 && kappa < Infinity,
    'smebuBalance: kappa must be a finite number above 0',
    kappa,
    'Use 2; for the sign rule itself use biasBalance.',
  )
  demand(momentum >= 0 && momentum < 1, 'smebuBalance: momentum must be in [0, 1)', momentum, 'Use 0.5.')
  return {
    init: (numExperts) => ({
      bias: new Float32Array(numExperts),
      velocity: new Float32Array(numExperts),
      updates: 0,
    }),
    update({ bias, velocity, updates }, load) {
      const size = rateAt(rate, updates)
      const average = mean(load)
      const shortfall = (count: number): number => (average === 0 ? 0 : (average - count) / average)
      const steps = Float32Array.from(load, (count) => size * tanh(kappa * shortfall(count)))
      center(steps)
      const next = velocity.map((last, e) => momentum * last + (1 - momentum) * steps[e])
      return { bias: bias.map((value, e) => value + next[e]), velocity: next, updates: updates + 1 }
    },
    bias: (state) => state.bias,
    loadOnly: true,
  }
}
