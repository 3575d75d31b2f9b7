/**
 * Lists where in `rows` the logits of the row at `row` stand that are above their limits, or NaN: in order, from list[start]
 * on. Gives how many they are; three places more are written to.
 *
 * A branch for each would often be guessed wrong, so 32 comparisons make a word, from which four places are taken at once.
 * The limits are no typed array: once any was detached, as where the memory of WebAssembly grows, V8 asks before each
 * element whether this one is.
 */
export function listAbove(
  rows: Float32Array,
  row: number,
  limits: readonly number[],
  list: Int32Array,
  start: number,
): number {
  const { length } = limits
  let n = start
  for (let e = 0; e < length; ) {
    const word = row + e
    const end = Math.min(e + 32, length)
    const unused = e + 32 - end
    let bits = 0
    for (; e + 4 <= end; e += 4) {
      const at = row + e
      bits = (bits << 1) | Number(rows[at] <= limits[e])
      bits = (bits << 1) | Number(rows[(at + 1) | 0] <= limits[(e + 1) | 0])
      bits = (bits << 1) | Number(rows[(at + 2) | 0] <= limits[(e + 2) | 0])
      bits = (bits << 1) | Number(rows[(at + 3) | 0] <= limits[(e + 3) | 0])
    }
    for (; e < end; e++) bits = (bits << 1) | Number(rows[row + e] <= limits[e])
    bits = ~bits << unused
    do {
      let place = Math.clz32(bits)
      list[n] = word + place
      n += Number(bits !== 0)
      bits &= 0x7fffffff >>> place
      place = Math.clz32(bits)
      list[n] = word + place
      n += Number(bits !== 0)
      bits &= 0x7fffffff >>> place
      place = Math.clz32(bits)
      list[n] = word + place
      n += Number(bits !== 0)
      bits &= 0x7fffffff >>> place
      place = Math.clz32(bits)
      list[n] = word + place
      n += Number(bits !== 0)
      bits &= 0x7fffffff >>> place
    } while (bits !== 0)
  }
  return n - start
}
