import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs'
import { dirname, join } from 'node:path'
import {
  demand,
  InputError,
  parsePythonJson,
  readSafetensorsHeader,
  safetensorsHeaderBytes,
  type TensorEntry,
} from '../index.js'
import { headed, readBytes, refusing } from './files.js'
import { readGguf } from './gguf.js'

/** What the headers of a checkpoint tell. */
export interface CheckpointHeaders {
  readonly tensors: readonly TensorEntry[]
  /** Of an index whose files are not all there: the names are known, and no dtypes and shapes. */
  readonly index?: CheckpointIndex
}

export interface CheckpointIndex {
  readonly names: readonly string[]
  /** Bytes of all weights, as the index states them. */
  readonly totalBytes?: number
  readonly totalParameters?: number
  /** Files that the index names and its folder lacks. */
  readonly missing: readonly string[]
}

/** An index of the largest checkpoints has some ten megabytes. */
const mostIndexBytes = 1 << 28

/**
 * Reads the headers of a checkpoint: a `.safetensors` file, the `.safetensors.index.json` of several, or a `.gguf` file,
 * which needs the package @huggingface/gguf. No weights are read. Throws an InputError on a file that is none of them.
 */
export async function readCheckpoint(path: string): Promise<CheckpointHeaders> {
  if (path.endsWith('.gguf')) return { tensors: await readGguf(path) }
  if (!path.endsWith('.json')) return { tensors: readHeader(path) }
  return headed(path, () => readIndex(path))
}

function readHeader(path: string): TensorEntry[] {
  const file = refusing(path, () => openSync(path, 'r'))
  try {
    const { size } = fstatSync(file)
    const read = (bytes: number): Uint8Array => {
      const start = new Uint8Array(Math.min(bytes, size))
      const had = refusing(path, () => readSync(file, start, 0, start.length, 0))
      return start.subarray(0, had)
    }
    const { tensors } = headed(path, () => {
      const start = read(safetensorsHeaderBytes(read(8), size))
      return readSafetensorsHeader(start, size)
    })
    return [...tensors].map(([name, { dtype, shape }]) => ({ name, dtype, shape }))
  } finally {
    closeSync(file)
  }
}

type Fields = Readonly<Record<string, unknown>>

function readIndex(path: string): CheckpointHeaders {
  const text = new TextDecoder().decode(readBytes(path, mostIndexBytes))
  const index = parsePythonJson(text) as Fields | null
  const map = index?.weight_map as Fields | undefined
  const holds = typeof map === 'object' && map !== null && Object.keys(map).length > 0
  demand(
    holds,
    'index: it must have a weight_map',
    map,
    'Give the model.safetensors.index.json of a checkpoint.',
  )
  const files = [...new Set(Object.values(map))].map((file) => {
    const plain = typeof file === 'string' && /^[\w.-]+\.safetensors$/.test(file)
    demand(plain, 'index: weight_map must name files that stand beside it', file, 'Take the index as it is.')
    return file
  })
  const missing = files.filter((file) => !existsSync(join(dirname(path), file)))
  if (missing.length === 0) return { tensors: readAll(path, files, Object.keys(map)) }
  const { total_size, total_parameters } = (index?.metadata ?? {}) as Fields
  return {
    tensors: [],
    index: {
      names: Object.keys(map),
      missing,
      ...(isCount(total_size) && { totalBytes: total_size }),
      ...(isCount(total_parameters) && { totalParameters: total_parameters }),
    },
  }
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

/** The tensors of all files, which must be those that the index names. */
function readAll(path: string, files: readonly string[], names: readonly string[]): TensorEntry[] {
  const tensors = files.flatMap((file) => readHeader(join(dirname(path), file)))
  const stored = new Set(tensors.map(({ name }) => name))
  const lacking = names.find((name) => !stored.has(name))
  if (lacking === undefined) return tensors
  throw new InputError(
    'index: its files must hold every tensor that it names',
    lacking,
    'Download them again.',
  )
}
