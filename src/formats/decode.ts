import { demand } from '../errors.js'
import { decodeFloats } from './number-formats.js'
import type { Tensor } from './safetensors.js'
import { type Dtype, itemBytes } from './safetensors-header.js'

const smallFloats = { F16: 'fp16', BF16: 'bf16', F8_E4M3: 'fp8-e4m3', F8_E5M2: 'fp8-e5m2' } as const
const floats: readonly Dtype[] = ['F32', 'F16', 'BF16', 'F8_E4M3', 'F8_E5M2']

/** The values of a tensor of F32, F16, BF16, F8_E4M3 or F8_E5M2, exactly. Throws an InputError on any other dtype. */
export function float32Of(tensor: Tensor): Float32Array {
  demandDtype('float32Of', tensor, floats, 'Use float64Of for F64 and int32Of for whole numbers.')
  const buffer = littleEndian(tensor)
  if (tensor.dtype === 'F32') return new Float32Array(buffer)
  const codes = itemBytes[tensor.dtype] === 1 ? new Uint8Array(buffer) : new Uint16Array(buffer)
  return decodeFloats(codes, smallFloats[tensor.dtype as keyof typeof smallFloats])
}

/** The same, and of F64, as float64. Throws an InputError on a dtype of whole numbers. */
export function float64Of(tensor: Tensor): Float64Array {
  demandDtype('float64Of', tensor, ['F64', ...floats], 'Use int32Of for whole numbers.')
  return tensor.dtype === 'F64'
    ? new Float64Array(littleEndian(tensor))
    : Float64Array.from(float32Of(tensor))
}

/** The values of a tensor of whole numbers or booleans. Throws an InputError where one does not fit 32 bits. */
export function int32Of(tensor: Tensor): Int32Array {
  // Inside, for a bundle that decodes nothing keeps names that an engine may lack wherever they stand outside.
  const wholes = {
    I64: BigInt64Array,
    U64: BigUint64Array,
    I32: Int32Array,
    U32: Uint32Array,
    I16: Int16Array,
    U16: Uint16Array,
    I8: Int8Array,
    U8: Uint8Array,
    BOOL: Uint8Array,
  } as const
  const dtypes = Object.keys(wholes) as (keyof typeof wholes)[]
  demandDtype('int32Of', tensor, dtypes, 'Use float32Of for floats.')
  const stored = new wholes[tensor.dtype as keyof typeof wholes](littleEndian(tensor))
  const values = Int32Array.from(stored as unknown as ArrayLike<number | bigint>, (value) =>
    Number(BigInt.asIntN(32, BigInt(value))),
  )
  const odd = (stored as Int32Array).findIndex((value, i) => Number(value) !== values[i])
  demand(odd < 0, 'int32Of: every value must fit 32 bits', stored[odd], 'Store indices below 2³¹.')
  return values
}

function demandDtype(name: string, { dtype }: Tensor, known: readonly Dtype[], remedy: string): void {
  demand(known.includes(dtype), `${name}: the dtype must be one of ${known.join(', ')}`, dtype, remedy)
}

/** The tensor's bytes on their own, so that they are aligned, in the byte order of this machine. */
function littleEndian({ bytes, dtype }: Tensor): ArrayBuffer {
  const copy = new Uint8Array(bytes)
  const bigEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 0
  if (bigEndian)
    for (let at = 0; at < copy.length; at += itemBytes[dtype])
      copy.subarray(at, at + itemBytes[dtype]).reverse()
  return copy.buffer
}
