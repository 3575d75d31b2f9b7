import { demand } from '../errors.js'

/** Element types of safetensors, and the bytes of one element. */
export const itemBytes = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  F8_E4M3: 1,
  F8_E5M2: 1,
  F8_E8M0: 1,
  F6_E2M3: 0.75,
  F6_E3M2: 0.75,
  F4: 0.5,
  C64: 8,
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

/** The largest header that the reference implementation reads. */
const mostHeaderBytes = 100_000_000

/** Where a tensor stands in the data of its file, and what it is. */
export interface TensorHeader {
  readonly dtype: Dtype
  readonly shape: readonly number[]
  /** Bytes from the start of the data. */
  readonly begin: number
  readonly end: number
}

export interface SafetensorsHeader {
  readonly metadata: Readonly<Record<string, string>>
  readonly tensors: ReadonlyMap<string, TensorHeader>
  /** Where the data begin in the file, which is where the header ends. */
  readonly dataStart: number
}

/** Bytes that the header of a file takes, from the first 8 of a file of `fileBytes`: 8 and the length they tell. */
export function safetensorsHeaderBytes(start: Uint8Array, fileBytes: number): number {
  demand(fileBytes >= 8, 'safetensors: a file starts with 8 bytes of header length', fileBytes, truncated)
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength)
  const headerBytes = Number(view.getBigUint64(0, true))
  demand(
    headerBytes <= mostHeaderBytes,
    `safetensors: the header length must be at most ${mostHeaderBytes} bytes`,
    headerBytes,
    'Check that this is a safetensors file at all.',
  )
  const dataStart = 8 + headerBytes
  demand(
    dataStart <= fileBytes,
    `safetensors: the header needs ${dataStart} bytes, ${dataStart - fileBytes} more than the file has`,
    fileBytes,
    truncated,
  )
  return dataStart
}

/**
 * Reads the header of a safetensors file of `fileBytes`, of which `start` holds the beginning: all that
 * `safetensorsHeaderBytes` asks for, or more. Strict: tensors must cover the data from end to end without overlap, and
 * every size must agree with every other. Throws an InputError on a file that is truncated or contradicts itself, before
 * anything of a claimed size is made. Of a name that stands twice the later entry counts, as in JSON; the earlier one's
 * data then is a gap, which is refused.
 */
export function readSafetensorsHeader(start: Uint8Array, fileBytes: number): SafetensorsHeader {
  const dataStart = safetensorsHeaderBytes(start, fileBytes)
  const { __metadata__, ...entries } = parseHeader(start.subarray(8, dataStart))
  const dataBytes = fileBytes - dataStart
  const tensors = new Map<string, TensorHeader>()
  for (const [name, entry] of Object.entries(entries)) tensors.set(name, readEntry(name, entry, dataBytes))
  demandCover(tensors, dataBytes)
  return { metadata: readMetadata(__metadata__), tensors, dataStart }
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

function readEntry(name: string, entry: unknown, dataBytes: number): TensorHeader {
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
  demand(end <= dataBytes, `${what} ends at byte ${end} of the data, which has fewer`, dataBytes, truncated)
  const bytes = shape.reduce((product, size) => product * size, itemBytes[dtype as Dtype])
  demand(
    bytes === end - begin,
    `${what} of ${dtype} [${shape.slice(0, 8)}] needs ${bytes} bytes`,
    end - begin,
    contradiction,
  )
  return { dtype: dtype as Dtype, shape, begin, end }
}

const isSizes = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0)

/** In the order of their offsets, each tensor must begin where the one before ends, and the last end with the data. */
function demandCover(tensors: ReadonlyMap<string, TensorHeader>, dataBytes: number): void {
  const spans = [...tensors].map(([name, { begin, end }]) => ({ name, begin, end }))
  spans.sort((a, b) => a.begin - b.begin || a.end - b.end)
  let covered = 0
  for (const { name, begin, end } of spans) {
    demand(
      begin === covered,
      `safetensors: tensor '${name.slice(0, 80)}' must begin at byte ${covered} of the data`,
      begin,
      contradiction,
    )
    covered = end
  }
  demand(
    covered === dataBytes,
    `safetensors: the tensors must cover all ${dataBytes} bytes of data`,
    covered,
    contradiction,
  )
}
