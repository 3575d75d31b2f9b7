import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { demand, InputError } from '../index.js'

/** The bytes of a file. Throws an InputError that says why they cannot be had, or that they are more than `most`. */
export function readBytes(path: string, most: number = Number.MAX_SAFE_INTEGER): Uint8Array {
  const told = refusing(path, () => statSync(path))
  if (!told.isFile()) return readUntold(path, most)
  demandSize(path, told.size, most)
  const { buffer, byteOffset, byteLength } = refusing(path, () => readFileSync(path))
  return new Uint8Array(buffer, byteOffset, byteLength) // a Buffer's slice would be a view, not a copy
}

/** The bytes of a pipe or a device, which does not tell its size and may have no end. */
function readUntold(path: string, most: number): Uint8Array {
  const file = refusing(path, () => openSync(path, 'r'))
  try {
    const chunks: Uint8Array[] = []
    for (let size = 0; ; ) {
      const chunk = new Uint8Array(1 << 16)
      const had = refusing(path, () => readSync(file, chunk))
      if (had === 0) return new Uint8Array(Buffer.concat(chunks))
      size += had
      demandSize(path, size, most)
      chunks.push(chunk.subarray(0, had))
    }
  } finally {
    closeSync(file)
  }
}

/** Whether a file is there, and neither a folder nor a device or a pipe, which might be read without end. */
export const isFile = (path: string): boolean =>
  existsSync(path) && refusing(path, () => statSync(path).isFile())

/** All bytes of a stream, such as standard input. Throws an InputError as soon as they are more than `most`. */
export async function readStream(stream: AsyncIterable<Uint8Array>, most: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of stream) {
    size += chunk.length
    demandSize('standard input', size, most)
    chunks.push(chunk)
  }
  return new Uint8Array(Buffer.concat(chunks))
}

function demandSize(name: string, size: number, most: number): void {
  demand(size <= most, `${name}: it must have at most ${most} bytes`, size, 'Check that it is the right one.')
}

/** Writes a file whole or not at all: whoever looks sees the old content or the new, also after a crash. */
export function writeAtomically(path: string, text: string): void {
  const draft = `${path}.tmp`
  refusing(path, () => {
    try {
      writeFileSync(draft, text, { flush: true })
      renameSync(draft, path)
    } catch (error) {
      rmSync(draft, { force: true })
      throw error
    }
  })
}

/** A path as one types it in a shell: in quotes where it would fall apart. */
export const quoted = (path: string): string =>
  /^[\w./:\\-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`

/** Does something with the content of a file; what is refused of it names the file first. */
export function headed<T>(path: string, act: () => T): T {
  try {
    return act()
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    throw new InputError(`${path}: ${error.rule}`, error.value, error.remedy)
  }
}

/** Does something with the file at `path`; what the system refuses comes back as an InputError in plain words. */
export function refusing<T>(path: string, act: () => T): T {
  try {
    return act()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    const [rule, remedy] = reasons[code] ?? [`it must be usable (${code})`, elsewhere]
    throw new InputError(`file: ${rule}`, path, remedy)
  }
}

const elsewhere = 'Ask for the permission, or use another place.'

const reasons: Readonly<Record<string, readonly [rule: string, remedy: string]>> = {
  ENOENT: ['it must exist', 'Check the spelling, and that its folder is there.'],
  ENOTDIR: ['its folder must be a folder', 'Check the spelling.'],
  EISDIR: ['it must be a file', 'This is a folder: name a file in it.'],
  EACCES: ['it must be open to you', elsewhere],
  EPERM: ['it must be open to you', elsewhere],
  EPIPE: ['it must be read to its end', 'Let its reader run until then, or name a file.'],
  ENOSPC: ['there must be room for it', 'Free some, or use another place.'],
}
