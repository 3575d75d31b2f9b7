import type { Tensor } from './safetensors.js'

/** Values of that shape as a tensor of F32, for `writeSafetensors`. */
export function float32Tensor(values: Float32Array, shape: readonly number[]): Tensor {
  const bytes = new Uint8Array(values.length * 4)
  const view = new DataView(bytes.buffer)
  values.forEach((value, i) => view.setFloat32(4 * i, value, true))
  return { dtype: 'F32', shape, bytes }
}
