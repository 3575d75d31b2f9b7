import { copyRows, packedLength, padded, panel } from './matrix.js'
import { sharedKernels } from './matrix-kernels.js'

/** Rows that fit, with what they become, in the second-level cache: copied in, multiplied and copied out while they are warm. */
const cachedFloats = 1 << 17

/**
 * x·Wᵀ + b: rows [n, I] times a weight [O, I], plus a bias [O] where there is one, as [n, O]. Each product and each sum is
 * rounded to float32, in order over I and the bias last, so that every engine and every SIMD lane gives the same bits.
 */
export function linear(
  rows: Float32Array,
  weight: Float32Array,
  outputs: number,
  bias?: Float32Array,
): Float32Array {
  const kernels = sharedKernels()
  const inputs = weight.length / outputs
  const count = rows.length / inputs
  const width = padded(outputs)
  const block = Math.max(4, Math.min(count, Math.floor(cachedFloats / (inputs + width))))
  const { packed, stage, blockIn, blockOut } = kernels.areas({
    packed: packedLength(outputs, inputs),
    stage: panel * inputs,
    blockIn: block * inputs,
    blockOut: block * width,
  })
  const matrix = kernels.pack(weight, bias, packed, inputs, stage)
  const result = new Float32Array(count * outputs)
  for (let first = 0; first < count; first += block) {
    const some = Math.min(block, count - first)
    blockIn.set(rows.subarray(first * inputs, (first + some) * inputs))
    kernels.linear(blockIn, inputs, matrix, blockOut, some)
    copyRows(blockOut, width, result.subarray(first * outputs, (first + some) * outputs), outputs)
  }
  return result
}
