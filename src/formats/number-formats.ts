import { demand } from '../errors.js'

/** A binary floating-point format of 16 bits or less: a sign, an exponent and a fraction, with subnormals. */
interface NumberFormat {
  readonly exponentBits: number
  readonly fractionBits: number
  readonly largest: number
  /** What stands beyond the largest value: ∞ and NaNs as in IEEE 754, one NaN in the last code, or nothing. */
  readonly beyond: 'infinity' | 'nan' | 'nothing'
  /** Whether conversion turns what is too large into the largest value. */
  readonly saturates: boolean
}

/**
 * The number formats that routers are computed or stored in; every value of each is a float32.
 *
 * fp32, bf16 and fp16 overflow to ∞ (IEEE 754). fp8-e4m3 (the "fn" kind, without ∞), fp8-e5m2 and fp4-e2m1 saturate at
 * 448, 57344 and 6, ∞ included: the saturating conversion of the OCP specifications of 8-bit and microscaling formats,
 * which training and serving use. PyTorch's own cast gives NaN for e4m3 and ∞ for e5m2 instead.
 */
export type FormatName = 'fp32' | SmallFormat

/** Those of 16 bits or less, whose codes have a table of values. */
export type SmallFormat = 'bf16' | 'fp16' | 'fp8-e4m3' | 'fp8-e5m2' | 'fp4-e2m1'

const formats: Readonly<Record<SmallFormat, NumberFormat>> = {
  bf16: of(8, 7, 255 * 2 ** 120, 'infinity', false),
  fp16: of(5, 10, 65504, 'infinity', false),
  'fp8-e4m3': of(4, 3, 448, 'nan', true),
  'fp8-e5m2': of(5, 2, 57344, 'infinity', true),
  'fp4-e2m1': of(2, 1, 6, 'nothing', true),
}

function of(
  exponentBits: number,
  fractionBits: number,
  largest: number,
  beyond: NumberFormat['beyond'],
  saturates: boolean,
): NumberFormat {
  return { exponentBits, fractionBits, largest, beyond, saturates }
}

/**
 * A function that rounds a number to the nearest value of a format, ties to the even code, subnormals included, in one
 * step from float64. NaN stays NaN, and a number too small becomes 0 with its sign. Throws an InputError on an unknown
 * name.
 */
export function roundTo(name: FormatName): (value: number) => number {
  if (name === 'fp32') return Math.fround
  demand(
    Object.hasOwn(formats, name),
    `roundTo: the format must be one of fp32, ${Object.keys(formats).join(', ')}`,
    name,
    'nvfp4 is a format of whole rows: roundedNvfp4.',
  )
  const { exponentBits, fractionBits, largest, saturates } = formats[name]
  const leastExponent = 2 - (1 << (exponentBits - 1))
  const tooLarge = saturates ? largest : Number.POSITIVE_INFINITY
  return (value) => {
    const size = Math.abs(value)
    if (!(size > 0)) return value // 0, −0 and NaN
    const exponent = Math.max(exponentOf(size), leastExponent)
    const spacing = powerOfTwo(exponent - fractionBits)
    const nearest = (size / spacing + roundToWhole - roundToWhole) * spacing
    const kept = nearest <= largest ? nearest : tooLarge
    return value < 0 ? -kept : kept
  }
}

/** Values rounded to a format, in a new array. */
export function rounded(values: ArrayLike<number>, name: FormatName): Float32Array {
  const round = roundTo(name)
  const result = new Float32Array(values.length)
  for (let i = 0; i < result.length; i++) result[i] = round(values[i])
  return result
}

const roundToWhole = 4503599627370496 // 2⁵²: adding and subtracting it rounds a smaller positive number to a whole one

const view = new DataView(new ArrayBuffer(8))

/** The exponent of a positive float64, ⌊log₂⌋; −1023 for a subnormal one, 1024 for ∞. */
function exponentOf(value: number): number {
  view.setFloat64(0, value)
  return (view.getUint16(0) >> 4) - 1023
}

function powerOfTwo(exponent: number): number {
  view.setUint32(0, (exponent + 1023) << 20)
  view.setUint32(4, 0)
  return view.getFloat64(0)
}

/** The values of stored codes, exactly; fp4-e2m1 unpacked, one code a byte. */
export function decodeFloats(codes: Uint16Array | Uint8Array, name: SmallFormat): Float32Array {
  const values = tableOf(name)
  const result = new Float32Array(codes.length)
  for (let i = 0; i < result.length; i++) result[i] = values[codes[i]]
  return result
}

const tables = new Map<string, Float32Array>()

/** The value of every code of a format. Built once, when first needed. */
function tableOf(name: SmallFormat): Float32Array {
  let table = tables.get(name)
  if (table === undefined) {
    table = valuesOf(formats[name])
    tables.set(name, table)
  }
  return table
}

function valuesOf({ exponentBits, fractionBits, beyond }: NumberFormat): Float32Array {
  const count = 1 << (1 + exponentBits + fractionBits)
  const values = new Float32Array(count)
  const words = new Uint32Array(values.buffer)
  const lastExponent = (1 << exponentBits) - 1
  const bias = (1 << (exponentBits - 1)) - 1
  const leastSpacing = powerOfTwo(1 - bias - fractionBits)
  for (let code = 0; code < count; code++) {
    const sign = code >> (exponentBits + fractionBits)
    const exponent = (code >> fractionBits) & lastExponent
    const fraction = code & ((1 << fractionBits) - 1)
    // A normal value is a float32 with the same bits further apart; a NaN keeps its own.
    const float32Exponent = beyond === 'infinity' && exponent === lastExponent ? 255 : exponent - bias + 127
    if (exponent === 0) values[code] = (sign ? -1 : 1) * fraction * leastSpacing
    else words[code] = (sign << 31) | (float32Exponent << 23) | (fraction << (23 - fractionBits))
    if (beyond === 'nan' && code % (count / 2) === count / 2 - 1) values[code] = Number.NaN
  }
  return values
}
