import { linear } from '../kernels/linear.js'
import type { Unit } from './activations.js'

/** The matrices of one expert, [out, in], and their biases where it has them. */
export interface Matrices {
  readonly gate?: Float32Array | undefined
  readonly up: Float32Array
  readonly down: Float32Array
  readonly gateBias?: Float32Array | undefined
  readonly upBias?: Float32Array | undefined
  readonly downBias?: Float32Array | undefined
}

/** Rows [n, inner] through one expert of width F, to [n, inner]. Hidden units are float64 inside, rounded once to float32. */
export function feedForward(
  rows: Float32Array,
  expert: Matrices,
  width: number,
  inner: number,
  unit: Unit,
): Float32Array {
  const hidden = linear(rows, expert.up, width, expert.upBias)
  const gate = expert.gate ? linear(rows, expert.gate, width, expert.gateBias) : hidden
  for (let i = 0; i < hidden.length; i++) hidden[i] = unit(gate[i], hidden[i])
  return linear(hidden, expert.down, inner, expert.downBias)
}
