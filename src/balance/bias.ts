import { demand, demandNothingElse, orNone } from '../errors.js'
import { sum } from '../stats.js'
import { center as subtractMean } from './center.js'
import type { Balance, Schedule } from './protocol.js'
import { demandRate, rateAt } from './rate.js'

export interface BiasBalanceOptions {
  /** u, the size of an update: 1e-3 in DeepSeek-V3, Nemotron 3 and nearly everywhere. A schedule gets the updates so far. */
  readonly rate: number | Schedule
  /** 'sign' (the default) moves every bias by u; 'proportional' by u · error. */
  readonly rule?: 'sign' | 'proportional'
  /**
   * What the proportional rule measures its error (mean load − load) in; it must be given with it, for the stable range
   * of u depends on it. 'mean': multiples of the mean load, stable while h · u < 2, where h is the density of scores at
   * the selection threshold over the share above it. 'fraction': shares of all assignments. 'tokens': raw counts.
   */
  readonly unit?: 'mean' | 'fraction' | 'tokens'
  /**
   * Subtract the mean from every update, so that the biases cannot drift together (torchtitan); where they are added, it
   * changes no selection.
   */
  readonly center?: boolean
}

/** The biases, float32 [E], and how many updates made them. */
export interface BiasState {
  readonly bias: Float32Array
  readonly updates: number
}

/**
 * Aux-loss-free balancing: after each step, an overloaded expert's bias goes down and an underloaded one's up.
 * b ← b + u · sign(mean load − load), in float32, which replays recorded PyTorch training to the last bit.
 *
 * Source: Wang et al., arXiv 2408.15664, algorithm 1, and its table 3 for the proportional rule; Megatron-LM
 * `get_updated_expert_bias`; torchtitan for `center`. Throws an InputError on options that contradict one another.
 */
export function biasBalance(options: BiasBalanceOptions): Balance<BiasState> {
  const given = orNone(options)
  const { rate, rule = 'sign', unit, center = false, ...rest } = given
  demandNothingElse('biasBalance: the options', rest)
  checkOptions(given)
  const errorsOf = rule === 'sign' ? signs : (load: Int32Array) => shortfalls(load, unit)
  return {
    init: (numExperts) => ({ bias: new Float32Array(numExperts), updates: 0 }),
    update({ bias, updates }, load) {
      const size = rateAt(rate, updates)
      const steps = errorsOf(load)
      const moved = bias.slice()
      for (let e = 0; e < steps.length; e++) steps[e] = Math.fround(size * steps[e])
      if (center) subtractMean(steps)
      for (let e = 0; e < steps.length; e++) moved[e] += steps[e]
      return { bias: moved, updates: updates + 1 }
    },
    bias: (state) => state.bias,
    loadOnly: true,
  }
}

/** sign(mean load − load): compared as whole numbers, so that equal is equal. */
function signs(load: Int32Array): Float64Array {
  const total = sum(load)
  const errors = new Float64Array(load.length)
  for (let e = 0; e < load.length; e++) errors[e] = Math.sign(total - load[e] * load.length)
  return errors
}

/** Mean load − load, in the unit asked for; all 0 where there is no load to measure by. */
function shortfalls(load: Int32Array, unit: BiasBalanceOptions['unit']): Float64Array {
  const total = sum(load)
  const mean = total / load.length
  const measure = unit === 'mean' ? mean : unit === 'fraction' ? total : 1
  const errors = new Float64Array(load.length)
  for (let e = 0; e < load.length && total > 0; e++) errors[e] = (mean - load[e]) / measure
  return errors
}

function checkOptions({ rate, rule = 'sign', unit }: BiasBalanceOptions): void {
  demandRate('biasBalance', rate)
  demand(
    rule === 'sign' || rule === 'proportional',
    "biasBalance: rule must be 'sign' or 'proportional'",
    rule,
    'Any other rule is a Balance of your own: init, update and bias.',
  )
  demand(
    rule === 'sign' ? unit === undefined : unit === 'mean' || unit === 'fraction' || unit === 'tokens',
    "biasBalance: unit must be 'mean', 'fraction' or 'tokens' with the proportional rule, and is not for the sign rule",
    unit,
    "With 'proportional', start from unit: 'mean'.",
  )
}
