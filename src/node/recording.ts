import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { demand, InputError } from '../index.js'
import { quoted, readBytes, refusing, writeAtomically } from './files.js'

/** A file of JSON lines, one a step, with a snapshot beside it for as long as the run is not complete. */
export interface Recording {
  /** Adds a line: whole in the file before this returns, or, if the process dies within, torn at the very end. */
  append(line: unknown): void
  /** Saves what the run needs to go on from here, once all lines are safe on the disk. */
  save(state: unknown): void
  /** No more lines come. */
  close(): void
  /** There is nothing left to go on with: the snapshot goes. */
  complete(): void
}

export const snapshotPath = (path: string): string => `${path}.snapshot.json`

/** Starts a file anew. Throws an InputError if an unfinished run lies there, for it took time to make. */
export function createRecording(path: string): Recording {
  const folder = dirname(path)
  demand(
    existsSync(folder),
    'simulate: --out must be in a folder that exists',
    folder,
    'Make it, or check the spelling.',
  )
  const snapshot = snapshotPath(path)
  const remedy = `Go on with: moesim simulate --resume ${quoted(path)} (or delete ${quoted(snapshot)} to start anew).`
  demand(!existsSync(snapshot), 'simulate: --out must not be a run that was interrupted', path, remedy)
  return recording(path, 'w')
}

/** What the last `save` saved. */
export function savedState(path: string): unknown {
  const snapshot = snapshotPath(path)
  const remedy = `There is no ${snapshot}: the run is complete, or was never started here.`
  demand(existsSync(snapshot), 'resume: the file must be of a run that was interrupted', path, remedy)
  const text = new TextDecoder().decode(readBytes(snapshot))
  try {
    return JSON.parse(text)
  } catch {
    throw new InputError(
      'resume: the snapshot must hold JSON',
      snapshot,
      'It was changed since it was saved: start anew.',
    )
  }
}

/** Goes on after the first `steps` lines, which are handed to `visit`; what follows them is cut off. */
export function resumeRecording(
  path: string,
  steps: number,
  visit: (line: unknown, step: number) => void,
): Recording {
  const remedy = 'It was changed since it was saved: start anew.'
  let end = 0
  let step = 0
  for (const line of wholeLines(path)) {
    if (step === steps) break
    try {
      visit(JSON.parse(line.text), step)
    } catch (error) {
      if (error instanceof InputError) throw error
      throw new InputError(`resume: line ${step + 1} of ${path} must be a report`, line.text, remedy)
    }
    end = line.end
    step++
  }
  demand(
    step === steps,
    `resume: ${path} must hold the ${steps} lines that its snapshot follows`,
    step,
    remedy,
  )
  refusing(path, () => truncateSync(path, end))
  return recording(path, 'a')
}

function recording(path: string, flag: 'w' | 'a'): Recording {
  const file = refusing(path, () => openSync(path, flag))
  return {
    append: (line) => refusing(path, () => writeFileSync(file, `${JSON.stringify(line)}\n`)),
    save(state) {
      refusing(path, () => fsyncSync(file))
      writeAtomically(snapshotPath(path), `${JSON.stringify(state)}\n`)
    },
    close: () => closeSync(file),
    complete: () => rmSync(snapshotPath(path), { force: true }),
  }
}

/** The lines that end in a line feed, each with the place in the file where it ends: files may be larger than memory. */
function* wholeLines(path: string): Generator<{ text: string; end: number }, void, void> {
  const file = refusing(path, () => openSync(path, 'r'))
  try {
    const chunk = Buffer.alloc(1 << 16)
    let pieces: Buffer[] = []
    let at = 0
    while (true) {
      const size = refusing(path, () => readSync(file, chunk, 0, chunk.length, null))
      if (size === 0) return
      let from = 0
      for (let feed = chunk.indexOf(10); feed >= 0 && feed < size; feed = chunk.indexOf(10, from)) {
        pieces.push(Buffer.from(chunk.subarray(from, feed)))
        from = feed + 1
        yield { text: Buffer.concat(pieces).toString('utf8'), end: at + from }
        pieces = []
      }
      pieces.push(Buffer.from(chunk.subarray(from, size)))
      at += size
    }
  } finally {
    closeSync(file)
  }
}
