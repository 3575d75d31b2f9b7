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

/** The value of every float16, from its sign, 5 bits of exponent and 10 of fraction. Built once, when first needed. */
function float16Table(): Float32Array {
  if (cachedTable !== undefined) return cachedTable
  cachedTable = new Float32Array(65536)
  const words = new Uint32Array(cachedTable.buffer)
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits >> 15
    const exponent = (bits >> 10) & 31
    const fraction = bits & 1023
    if (exponent === 0) cachedTable[bits] = ((sign ? -1 : 1) * fraction) / 16777216
    else words[bits] = (sign << 31) | ((exponent === 31 ? 255 : exponent + 112) << 23) | (fraction << 13)
  }
  return cachedTable
}
