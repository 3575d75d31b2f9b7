/** Each row of `width` divided by its length, or by 1e-12 where that is longer; squares are summed in float64, in order. */
export function unitRows(rows: Float32Array, width: number): Float32Array {
  const units = new Float32Array(rows.length)
  for (let row = 0; row < rows.length; row += width) {
    let squares = 0
    for (let i = row; i < row + width; i++) squares += rows[i] * rows[i]
    const length = Math.max(Math.sqrt(squares), 1e-12)
    for (let i = row; i < row + width; i++) units[i] = rows[i] / length
  }
  return units
}
