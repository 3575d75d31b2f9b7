/** The k-th largest of the values, counted from 1; −∞ beyond their number. Reorders them: Hoare's selection. */
export function kthLargest(values: Float32Array, k: number): number {
  if (k > values.length) return Number.NEGATIVE_INFINITY
  const wanted = k - 1
  let from = 0
  let to = values.length - 1
  while (from < to) {
    const pivot = values[(from + to) >> 1]
    let up = from
    let down = to
    while (up <= down) {
      while (values[up] > pivot) up++
      while (values[down] < pivot) down--
      if (up > down) break
      const value = values[up]
      values[up++] = values[down]
      values[down--] = value
    }
    if (wanted <= down) to = down
    else if (wanted >= up) from = up
    else break // between the two parts stands nothing but the pivot
  }
  return values[wanted]
}
