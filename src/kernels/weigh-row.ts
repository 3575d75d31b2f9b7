import { exp } from '../math.js'

/** How selected scores become weights. */
export interface Weighing {
  /** The scores are logits, and the weights their softmax. */
  readonly softmax: boolean
  /** Divide by the sum; a softmax does so anyway. */
  readonly normalize: boolean
  readonly scale: number
  /** Added to that sum. */
  readonly epsilon: number
}

/**
 * Weights, to weights[first …), of one token's selected scores in slot order: float64 sum + epsilon, one division each,
 * times scale, rounded once to float32. Empty slots hold −∞ and get 0, as do scores that have underflowed to 0.
 */
export function weighRow(selected: Float64Array, how: Weighing, weights: Float32Array, first: number): void {
  const divisor = how.softmax ? toPowers(selected) : how.normalize ? sumOf(selected) + how.epsilon : 1
  for (let slot = 0; slot < selected.length; slot++) {
    weights[first + slot] = selected[slot] > 0 ? (selected[slot] / divisor) * how.scale : 0
  }
}

function sumOf(selected: Float64Array): number {
  let sum = 0
  for (let slot = 0; slot < selected.length; slot++) {
    if (selected[slot] > Number.NEGATIVE_INFINITY) sum += selected[slot]
  }
  return sum
}

/** Turns selected logits into the powers of their softmax, in place, and returns the sum. */
function toPowers(selected: Float64Array): number {
  let largest = Number.NEGATIVE_INFINITY
  for (let slot = 0; slot < selected.length; slot++) largest = Math.max(largest, selected[slot])
  if (largest === Number.NEGATIVE_INFINITY) return 1 // no expert at all
  let sum = 0
  for (let slot = 0; slot < selected.length; slot++) {
    selected[slot] = exp(selected[slot] - largest)
    sum += selected[slot]
  }
  return sum
}
