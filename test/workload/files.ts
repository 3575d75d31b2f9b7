import { type Dtype, type Tensor, writeSafetensors } from 'moesim'

export const floats = (shape: number[], values?: ArrayLike<number>): Tensor => {
  const length = shape.reduce((product, size) => product * size, 1)
  return stored('F32', shape, values ? Float32Array.from(values) : new Float32Array(length))
}

export const ints = (shape: number[], values: ArrayLike<number>): Tensor =>
  stored('I32', shape, Int32Array.from(values))

const stored = (dtype: Dtype, shape: number[], values: Float32Array | Int32Array): Tensor => ({
  dtype,
  shape,
  bytes: new Uint8Array(values.buffer),
})

/** A file of tensors and metadata, where undefined takes something out. */
export function fileOf(
  tensors: Record<string, Tensor | undefined>,
  metadata: Record<string, unknown>,
): Uint8Array {
  const kept = Object.entries(tensors).filter((entry): entry is [string, Tensor] => entry[1] !== undefined)
  const texts = Object.entries(metadata)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => [key, typeof value === 'string' ? value : JSON.stringify(value)])
  return writeSafetensors(new Map(kept), Object.fromEntries(texts))
}
