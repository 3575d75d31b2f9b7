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
