import { firstNotFinite } from '../arrays.js'
import { demand } from '../errors.js'
import { roundTo } from './number-formats.js'

const blockSize = 16
const leastScale = 1 / 512
const roundScale = /* @__PURE__ */ roundTo('fp8-e4m3')
const roundValue = /* @__PURE__ */ roundTo('fp4-e2m1')

/**
 * A weight matrix as NVFP4 stores it, decoded again: values of fp4-e2m1, times an fp8-e4m3 scale for every block of 16
 * along a row, times one float32 scale of the whole tensor, which is its largest size / (6 · 448).
 *
 * `weight` is rows of `width` values, such as [E, D]. Every operation is one of float32. A block whose scale would be
 * less than the least of e4m3 gets that one; one of zeros stays zeros. Source: NVIDIA Model-Optimizer, `NVFP4QTensor`.
 * Throws an InputError where the width is no multiple of 16, or a value is not finite.
 */
export function roundedNvfp4(weight: Float32Array, width: number): Float32Array {
  demand(
    Number.isSafeInteger(width) && width > 0 && width % blockSize === 0 && weight.length % width === 0,
    `roundedNvfp4: width must be a multiple of ${blockSize} that divides the ${weight.length} values`,
    width,
    'Pad the rows with zeros.',
  )
  const odd = firstNotFinite(weight)
  demand(
    odd === weight.length,
    `roundedNvfp4: the value at ${odd} must be finite`,
    weight[odd],
    'Look for an overflow.',
  )
  const tensorScale = Math.fround(largestSize(weight) / (6 * 448))
  const result = new Float32Array(weight.length)
  for (let first = 0; first < weight.length; first += blockSize) {
    const block = weight.subarray(first, first + blockSize)
    const size = largestSize(block)
    if (size === 0) continue
    const wanted = Math.fround(size / Math.fround(6 * tensorScale))
    const scale = Math.fround(roundScale(Math.max(leastScale, wanted)) * tensorScale)
    for (let i = 0; i < blockSize; i++) result[first + i] = roundValue(Math.fround(block[i] / scale)) * scale
  }
  return result
}

const largestSize = (values: Float32Array): number =>
  values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0)
