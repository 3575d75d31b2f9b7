const blocks = [...'▁▂▃▄▅▆▇█']

/** A row of values as blocks from 0 to the largest; more values than `width` are averaged in equal groups. */
export function sparkline(values: ArrayLike<number>, width: number): string {
  const size = Math.min(width, values.length)
  const means = Array.from({ length: size }, (_, i) => {
    const group = Array.from(values).slice(
      Math.floor((i * values.length) / size),
      Math.floor(((i + 1) * values.length) / size),
    )
    return group.reduce((sum, value) => sum + value, 0) / group.length
  })
  const top = Math.max(...means)
  return means.map((mean) => blocks[top > 0 ? Math.min(7, Math.floor((8 * mean) / top)) : 0]).join('')
}
