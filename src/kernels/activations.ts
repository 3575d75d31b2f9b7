import { sigmoid } from '../math.js'
import { normalCdf } from '../normal.js'

/**
 * What a hidden unit makes of its input, as Hugging Face names it: max(x, 0), its square (Nemotron-H), x·σ(x), x·Φ(x), the
 * tanh form of the last (Gemma), and `swigluoai`, the clamped gate of gpt-oss.
 */
export type Activation = 'relu' | 'relu2' | 'silu' | 'gelu' | 'gelu_tanh' | 'swigluoai'

/** A hidden unit of the float32 outputs of its gate and up projections; an ungated one does not look at `gate`. */
export type Unit = (gate: number, up: number) => number

const positive = (x: number): number => (x < 0 ? 0 : x)

const curves: Record<Activation, (x: number) => number> = {
  relu: positive,
  relu2: (x) => positive(x) * positive(x),
  silu: (x) => x * sigmoid(x),
  gelu: (x) => x * normalCdf(x),
  gelu_tanh: (x) => x * sigmoid(1.5957691216057308 * (x + 0.044715 * x * x * x)),
  swigluoai: (x) => Math.min(x, 7) * sigmoid(1.702 * Math.min(x, 7)),
}

/** ./assembly/experts.ts knows them by their place here. */
export const activations: readonly Activation[] = Object.keys(curves) as Activation[]

/**
 * The unit of an expert, in float64. Gated: activation(gate) · up. Ungated: activation(up). ½ (1 + tanh(u)) of gelu_tanh is
 * σ(2u), and 1.5957691216057308 is 2 √(2/π). `swigluoai`, always gated: g · σ(1.702 g) · (clamp(up, ±7) + 1) with
 * g = min(gate, 7), from `GptOssExperts` of Hugging Face transformers.
 */
export function unitOf(activation: Activation, gated: boolean): Unit {
  const curve = curves[activation]
  if (activation === 'swigluoai') return (gate, up) => curve(gate) * (Math.max(-7, Math.min(up, 7)) + 1)
  return gated ? (gate, up) => curve(gate) * up : (_, up) => curve(up)
}
