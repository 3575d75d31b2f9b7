// Bias updates with bugs that shipped.
import { type Balance, type BiasState, rounded, type Setup } from 'moesim'

/** The bias is kept in bf16: a step of less than half the distance to the next number is lost. */
export const keptInBf16 = (rule: Balance<BiasState>): Balance<BiasState> => ({
  ...rule,
  update(state, load) {
    const next = rule.update(state, load)
    return { ...next, bias: rounded(next.bias, 'bf16') }
  },
})

/** The load is counted in the forward pass, and again where the backward pass makes it anew to save memory. */
export const countedTwice = <State>(rule: Balance<State>): Balance<State> => ({
  ...rule,
  update: (state, load) =>
    rule.update(
      state,
      load.map((count) => 2 * count),
    ),
})

/** Counts are compared with the share that each expert should have: any expert that got a token has too many. */
export const countsAgainstShares = (rate: number): Balance<Float32Array> => ({
  init: (numExperts) => new Float32Array(numExperts),
  update: (bias, load) => bias.map((value, e) => value + rate * Math.sign(1 / load.length - load[e])),
  bias: (bias) => bias,
})

/** The bias is moved after each micro-batch of a step, as far each time as it should go in the step. */
export const everyMicroBatch = <State>(setup: Setup<State>): Setup<State> => ({ ...setup, updateEvery: 1 })

/** No bug: a bias that does not move, as in a model that is served. */
export const held = (bias: Float32Array): Balance<Float32Array> => ({
  init: () => bias,
  update: (same) => same,
  bias: (same) => same,
})

/** No bug: a rule that goes on from biases that have all drifted to one value. */
export const from = (value: number, rule: Balance<BiasState>): Balance<BiasState> => ({
  ...rule,
  init: (numExperts) => ({ bias: new Float32Array(numExperts).fill(value), updates: 0 }),
})
