import { sigmoid, tanh } from '../math.js'
import { normalCdf } from '../normal.js'

/**
 * What a hidden unit makes of its input, as Hugging Face names it: max(x, 0), its square (Nemotron-H), x·σ(x), x·Φ(x), the
 * tanh form of the last (Gemma), and `swigluoai`, the clamped gate of gpt-oss.
 */
export type Activation = 'relu' | 'relu2' | 'silu' | 'gelu' | 'gelu_tanh' | 'swigluoai'

/** A hidden unit of the float32 outputs of its gate and up projections; an ungated one does not look at `gate`. */
export type Unit = (gate: number, up: number) => number

const curves: Record<Exclude<Activation, 'swigluoai'>, (x: number) => number> = {
  relu: (x) => Math.max(x, 0),
  relu2: (x) => Math.max(x, 0) * Math.max(x, 0),
  silu: (x) => x * sigmoid(x),
  gelu: (x) => x * normalCdf(x),
  gelu_tanh: (x) => 0.5 * x * (1 + tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x))),
}

export const activations: readonly Activation[] = [...(Object.keys(curves) as Activation[]), 'swigluoai']

/**
 * The unit of an expert, in float64. Gated: activation(gate) · up. Ungated: activation(up). `swigluoai`, always gated:
 * (clamp(up, ±7) + 1) · g · σ(1.702 g) with g = min(gate, 7), from `GptOssExperts` of Hugging Face transformers.
 */
export function unitOf(activation: Activation, gated: boolean): Unit {
  if (activation === 'swigluoai') return clampedUnit
  const curve = curves[activation]
  return gated ? (gate, up) => curve(gate) * up : (_, up) => curve(up)
}

function clampedUnit(gate: number, up: number): number {
  const g = Math.min(gate, 7)
  return (Math.max(-7, Math.min(up, 7)) + 1) * g * sigmoid(1.702 * g)
}
