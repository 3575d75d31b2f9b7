import type { Tensor2D } from '@tensorflow/tfjs'
import type { Activation } from '../index.js'
import type { Tf } from './tfjs.js'

/** The hidden units of experts, [N, F], of their gate and up projections; the core's `unitOf` on tensors. */
export function units(
  tf: Tf,
  activation: Activation,
  gated: boolean,
  gate: Tensor2D,
  up: Tensor2D,
): Tensor2D {
  if (activation === 'swigluoai') {
    const g = tf.minimum(gate, 7)
    return tf.mul(tf.mul(tf.add(tf.clipByValue(up, -7, 7), 1), g), tf.sigmoid(tf.mul(g, 1.702)))
  }
  const curve = curves[activation]
  return gated ? tf.mul(curve(tf, gate), up) : curve(tf, up)
}

const curves: Record<Exclude<Activation, 'swigluoai'>, (tf: Tf, x: Tensor2D) => Tensor2D> = {
  relu: (tf, x) => tf.relu(x),
  relu2: (tf, x) => tf.square(tf.relu(x)),
  silu: (tf, x) => tf.mul(x, tf.sigmoid(x)),
  gelu: (tf, x) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1)),
  gelu_tanh: (tf, x) => {
    const inner = tf.mul(tf.mul(x, tf.add(tf.mul(tf.square(x), 0.044715), 1)), Math.sqrt(2 / Math.PI))
    return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(inner), 1))
  },
}
