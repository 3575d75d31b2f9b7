import { demand, InputError } from '../errors.js'
import { didYouMean } from '../suggest.js'
import { type Dtype, itemBytes, readSafetensorsHeader } from './safetensors-header.js'

/** One stored tensor: its bytes are little-endian, row-major, and a view into the file's. */
export interface Tensor {
  readonly dtype: Dtype
  readonly shape: readonly number[]
  readonly bytes: Uint8Array
}

export interface Safetensors {
  readonly metadata: Readonly<Record<string, string>>
  readonly tensors: ReadonlyMap<string, Tensor>
}

/**
 * Reads a safetensors file: 8 bytes of little-endian header length, a JSON header, the data. Throws an InputError on a file
 * that is truncated or contradicts itself, as `readSafetensorsHeader` does.
 */
export function readSafetensors(file: Uint8Array): Safetensors {
  const { metadata, tensors, dataStart } = readSafetensorsHeader(file, file.length)
  const views = [...tensors].map(([name, { dtype, shape, begin, end }]): [string, Tensor] => [
    name,
    { dtype, shape, bytes: file.subarray(dataStart + begin, dataStart + end) },
  ])
  return { metadata, tensors: new Map(views) }
}

/** The tensor of that name. Throws an InputError, with the nearest name there is, if the file has none. */
export function tensor(file: Safetensors, name: string): Tensor {
  const found = file.tensors.get(name)
  if (found !== undefined) return found
  const remedy = didYouMean(name, [...file.tensors.keys()]) || 'Use a file that has it.'
  throw new InputError('safetensors: the file must have the tensor asked for', name.slice(0, 200), remedy)
}

/** The bytes of a file that holds these tensors, in this order; the same input gives the same bytes. */
export function writeSafetensors(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const entries: [string, unknown][] = Object.keys(metadata).length > 0 ? [['__metadata__', metadata]] : []
  let dataBytes = 0
  for (const [name, { dtype, shape, bytes }] of tensors) {
    const needed = shape.reduce((product, size) => product * size, itemBytes[dtype])
    demand(
      bytes.length === needed,
      `writeSafetensors: '${name}' of ${dtype} [${shape}] needs ${needed} bytes`,
      bytes.length,
      'Fix one of them.',
    )
    entries.push([name, { dtype, shape, data_offsets: [dataBytes, dataBytes + bytes.length] }])
    dataBytes += bytes.length
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)))
  const headerBytes = Math.ceil(json.length / 8) * 8 // padded with spaces, so that the data are aligned
  const file = new Uint8Array(8 + headerBytes + dataBytes).fill(0x20, 8, 8 + headerBytes)
  new DataView(file.buffer).setBigUint64(0, BigInt(headerBytes), true)
  file.set(json, 8)
  let at = 8 + headerBytes
  for (const { bytes } of tensors.values()) {
    file.set(bytes, at)
    at += bytes.length
  }
  return file
}
