import { demand, InputError } from '../errors.js'
import { didYouMean } from '../suggest.js'

/** Element types of safetensors, and the bytes of one element. */
export const itemBytes = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  F8_E4M3: 1,
  F8_E5M2: 1,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
} as const

export type Dtype = keyof typeof itemBytes

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

/** The largest header that the reference implementation reads. */
const mostHeaderBytes = 100_000_000

/**
 * Reads a safetensors file: 8 bytes of little-endian header length, a JSON header, the data. Strict: tensors must cover
 * the data from end to end without overlap, and every size must agree with every other. Throws an InputError on a file
 * that is truncated or contradicts itself, before anything of a claimed size is made. Of a name that stands twice in the
 * header the later entry counts, as in JSON; the earlier one's data then is a gap, which is refused.
 */
export function readSafetensors(file: Uint8Array): Safetensors {
  demand(file.length >= 8, 'safetensors: a file starts with 8 bytes of header length', file.length, truncated)
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const headerBytes = Number(view.getBigUint64(0, true))
  demand(
    headerBytes <= mostHeaderBytes,
    `safetensors: the header length must be at most ${mostHeaderBytes} bytes`,
    headerBytes,
    'Check that this is a safetensors file at all.',
  )
  const dataStart = 8 + headerBytes
  demand(
    dataStart <= file.length,
    `safetensors: the header needs ${dataStart} bytes, ${dataStart - file.length} more than the file has`,
    file.length,
    truncated,
  )
  const data = new Uint8Array(file.buffer, file.byteOffset + dataStart, file.length - dataStart)
  const { __metadata__, ...entries } = parseHeader(file.subarray(8, dataStart))
  const tensors = new Map<string, Tensor>()
  for (const [name, entry] of Object.entries(entries)) tensors.set(name, readEntry(name, entry, data))
  demandCover(tensors, data)
  return { metadata: readMetadata(__metadata__), tensors }
}

const truncated = 'The file is cut short: copy or download it again.'
const contradiction = 'The file is damaged or was written by something else: write it again.'

type Fields = Record<string, unknown>

const isRecord = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function parseHeader(bytes: Uint8Array): Fields {
  let header: unknown
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    header = text.startsWith('{') ? JSON.parse(text) : undefined
  } catch {
    header = undefined
  }
  demand(isRecord(header), 'safetensors: the header must be a JSON object in UTF-8', header, contradiction)
  return header
}

function readMetadata(metadata: unknown = {}): Record<string, string> {
  const plain = isRecord(metadata) && Object.values(metadata).every((value) => typeof value === 'string')
  demand(plain, 'safetensors: __metadata__ must map names to texts', metadata, contradiction)
  return metadata as Record<string, string>
}

function readEntry(name: string, entry: unknown, data: Uint8Array): Tensor {
  const what = `safetensors: tensor '${name.slice(0, 80)}'`
  demand(isRecord(entry), `${what} must be described by an object`, entry, contradiction)
  const { dtype, shape, data_offsets: offsets } = entry
  demand(
    typeof dtype === 'string' && Object.hasOwn(itemBytes, dtype),
    `${what} must have one of the dtypes ${Object.keys(itemBytes).join(', ')}`,
    dtype,
    'Convert it to one of them.',
  )
  demand(isSizes(shape), `${what} must have a shape of whole numbers of at least 0`, shape, contradiction)
  demand(
    isSizes(offsets) && offsets.length === 2 && offsets[0] <= offsets[1],
    `${what} must have data_offsets [begin, end]`,
    offsets,
    contradiction,
  )
  const [begin, end] = offsets
  demand(
    end <= data.length,
    `${what} ends at byte ${end} of the data, which has fewer`,
    data.length,
    truncated,
  )
  const bytes = shape.reduce((product, size) => product * size, itemBytes[dtype as Dtype])
  demand(
    bytes === end - begin,
    `${what} of ${dtype} [${shape.slice(0, 8)}] needs ${bytes} bytes`,
    end - begin,
    contradiction,
  )
  return { dtype: dtype as Dtype, shape, bytes: data.subarray(begin, end) }
}

const isSizes = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0)

/** In the order of their offsets, each tensor must begin where the one before ends, and the last end with the data. */
function demandCover(tensors: ReadonlyMap<string, Tensor>, data: Uint8Array): void {
  const spans = [...tensors].map(([name, { bytes }]) => ({
    name,
    begin: bytes.byteOffset - data.byteOffset,
    size: bytes.length,
  }))
  spans.sort((a, b) => a.begin - b.begin || a.size - b.size)
  let covered = 0
  for (const { name, begin, size } of spans) {
    demand(
      begin === covered,
      `safetensors: tensor '${name.slice(0, 80)}' must begin at byte ${covered} of the data`,
      begin,
      contradiction,
    )
    covered += size
  }
  demand(
    covered === data.length,
    `safetensors: the tensors must cover all ${data.length} bytes of data`,
    covered,
    contradiction,
  )
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
