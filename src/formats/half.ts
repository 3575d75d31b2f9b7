/** float16 to float32, exactly: each of the 65,536 patterns is a float32. */
export function float16ToFloat32(halves: Uint16Array): Float32Array {
  const table = float16Table()
  return Float32Array.from(halves, (bits) => table[bits])
}

/** bfloat16 to float32, exactly: it is the upper half of one. */
export function bfloat16ToFloat32(halves: Uint16Array): Float32Array {
  const words = Uint32Array.from(halves, (bits) => bits << 16)
  return new Float32Array(words.buffer)
}

let cachedTable: Float32Array | undefined

/** The value of every float16: sign, 5 bits of exponent, 10 of fraction. Built once, when first needed. */
function float16Table(): Float32Array {
  cachedTable ??= Float32Array.from({ length: 65536 }, (_, bits) => {
    const sign = bits & 0x8000 ? -1 : 1
    const exponent = (bits >> 10) & 31
    const fraction = bits & 1023
    if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN
    return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25)
  })
  return cachedTable
}
