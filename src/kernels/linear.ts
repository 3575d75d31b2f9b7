import { type Instance, sharedInstance } from './instance.js'

/**
 * x·Wᵀ + b: rows [n, I] times a weight [O, I], plus a bias [O] where there is one, as [n, O]. Each product and each sum is
 * rounded to float32, in order over I and the bias last, so that every engine and every SIMD lane gives the same bits.
 */
export function linear(
  rows: Float32Array,
  weight: Float32Array,
  outputs: number,
  bias: Float32Array = new Float32Array(outputs),
): Float32Array {
  const instance = sharedInstance()
  const multiply = instance === undefined ? plainLinear : fastLinear(instance)
  return multiply(rows, weight, outputs, bias)
}

type Linear = (rows: Float32Array, weight: Float32Array, outputs: number, bias: Float32Array) => Float32Array

const plainLinear: Linear = (rows, weight, outputs, bias) => {
  const inputs = weight.length / outputs
  const count = rows.length / inputs
  const result = new Float32Array(count * outputs)
  // Transposed, the inner loop runs along outputs: independent sums, where a dot product would wait for one.
  const columns = transpose(weight, outputs, inputs)
  const sums = new Float32Array(outputs)
  for (let row = 0; row < count; row++) {
    sums.fill(0)
    for (let i = 0; i < inputs; i++) {
      const x = rows[row * inputs + i]
      const column = i * outputs
      for (let o = 0; o < outputs; o++) sums[o] += Math.fround(x * columns[column + o])
    }
    for (let o = 0; o < outputs; o++) result[row * outputs + o] = sums[o] + bias[o]
  }
  return result
}

function transpose(matrix: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(matrix.length)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++)
      result[column * rows + row] = matrix[row * columns + column]
  }
  return result
}

/** Rows that fit, with what they become, in the second-level cache: copied in, multiplied and copied out while they are warm. */
const cachedFloats = 1 << 17

const fastLinear =
  (kernels: Instance): Linear =>
  (rows, weight, outputs, bias) => {
    const inputs = weight.length / outputs
    const count = rows.length / inputs
    const panels = Math.ceil(outputs / 8)
    const width = panels * 8
    const block = Math.max(4, Math.min(count, Math.floor(cachedFloats / (inputs + width))))
    const floats = [weight.length, width * inputs, width, block * inputs, block * width]
    const [weightAt, packedAt, biasAt, rowsAt, outAt] = kernels.lay(...floats.map((length) => 4 * length))
    kernels.floats(weightAt, weight.length).set(weight)
    kernels.pack(weightAt, packedAt, inputs, outputs)
    kernels.floats(biasAt, outputs).set(bias)
    const blockIn = kernels.floats(rowsAt, block * inputs)
    const blockOut = kernels.floats(outAt, block * width)
    const result = new Float32Array(count * outputs)
    for (let first = 0; first < count; first += block) {
      const some = Math.min(block, count - first)
      blockIn.set(rows.subarray(first * inputs, (first + some) * inputs))
      kernels.linear(rowsAt, packedAt, biasAt, outAt, some, inputs, panels)
      if (width === outputs) result.set(blockOut.subarray(0, some * width), first * outputs)
      else {
        for (let row = 0; row < some; row++) {
          result.set(blockOut.subarray(row * width, row * width + outputs), (first + row) * outputs)
        }
      }
    }
    return result
  }
