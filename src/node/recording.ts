import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { demand, InputError } from '../index.js'
import { isFile, quoted, readBytes, refusing, writeAtomically } from './files.js'
import { jsonOf } from './json.js'

/**
 * A file of JSON lines, one a step, with a snapshot beside it for as long as the run is not complete. A device or a pipe
 * takes the lines alone: nobody can go on with what it does not keep.
 */
export interface Recording {
  readonly resumable: boolean
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

/**
 * Starts a file anew. Throws an InputError if something lies there that would be missed: the reports of a run, complete or
 * not, unless `overwrite` says that they may go, and anything else in any case.
 */
export function createRecording(path: string, overwrite = false): Recording {
  const folder = dirname(path)
  demand(
    existsSync(folder),
    'simulate: --out must be in a folder that exists',
    folder,
    'Make it, or check the spelling.',
  )
  const isThere = isFile(path)
  if (isThere) demandOwn(path)
  const snapshot = snapshotPath(path)
  if (overwrite) rmSync(snapshot, { force: true })
  const goOn = `Go on with: moesim simulate --resume ${quoted(path)} (or start anew with --overwrite).`
  demand(
    !existsSync(snapshot),
    'simulate: --out must not hold an interrupted run of other options',
    path,
    goOn,
  )
  const holdsRun = isThere && statSync(path).size > 0
  const remedy = 'Name another file, or let its run be replaced with --overwrite.'
  demand(!holdsRun || overwrite, 'simulate: --out must not hold another run', path, remedy)
  return recording(path, 'w')
}

/** A file that holds reports or nothing, and that nobody else writes. */
function demandOwn(path: string): void {
  demand(
    !/^\/dev\/(stdout|stderr|fd\/\d+)$/.test(path),
    'simulate: --out must not be the file that a stream of this program is written to',
    path,
    'Name another file: in one, its lines and the summary would overwrite each other.',
  )
  demand(
    strayLine(path, 0, 0) === undefined,
    'simulate: --out must be a new file, or one that simulate has written',
    path,
    'Name another: what this one holds would be lost.',
  )
}

const startBytes = 100 // more than the longest beginning of a report

/**
 * The first line from byte `at` on that does not begin as the report of its step does, counted from `step`; the last line
 * may be torn. Lines of other programs, and of several runs in one file, are more than one run can bring back.
 */
function strayLine(path: string, at: number, step: number): string | undefined {
  let start = ''
  for (const { bytes, ends } of piecesOf(path, at)) {
    start += bytes.toString('latin1', 0, startBytes - start.length)
    if (!ends && start.length < startBytes) continue
    if (!beginsReport(start, step)) return utf8(start)
    if (ends) {
      step++
      start = ''
    }
  }
  return beginsReport(start, step, true) ? undefined : utf8(start)
}

function beginsReport(start: string, step: number, torn = false): boolean {
  const beginning = `{"step":${step},"tokens":0,"numExperts":0,"load":[`
  const found = start.replace(/(?<="(?:tokens|numExperts)":)\d+/g, '0')
  return found.startsWith(beginning) || (torn && beginning.startsWith(found))
}

const utf8 = (latin1: string): string => Buffer.from(latin1, 'latin1').toString('utf8')

/** What the last `save` saved. */
export function savedState(path: string): unknown {
  const snapshot = snapshotPath(path)
  const remedy = `There is no ${snapshot}: the run is complete, or was never started here.`
  demand(existsSync(snapshot), 'resume: the file must be of a run that was interrupted', path, remedy)
  const state = jsonOf(new TextDecoder().decode(readBytes(snapshot)))
  const changed = 'It was changed since it was saved: start anew.'
  demand(state !== undefined, 'resume: the snapshot must hold JSON', snapshot, changed)
  return state
}

/**
 * Goes on after the first `steps` lines, which are handed to `visit`; the reports that follow them are cut off. Throws an
 * InputError if anything else follows, which would be missed.
 */
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
  const stray = strayLine(path, end, steps)
  demand(
    stray === undefined,
    `resume: what follows line ${steps} of ${path} must be reports of the same run`,
    stray,
    `It would be lost: keep it elsewhere, and cut the file after line ${steps}.`,
  )
  refusing(path, () => truncateSync(path, end))
  return recording(path, 'a')
}

function recording(path: string, flag: 'w' | 'a'): Recording {
  const file = refusing(path, () => openSync(path, flag))
  const resumable = fstatSync(file).isFile()
  return {
    resumable,
    append: (line) => refusing(path, () => writeFileSync(file, `${JSON.stringify(line)}\n`)),
    save(state) {
      if (!resumable) return
      refusing(path, () => fsyncSync(file))
      writeAtomically(snapshotPath(path), `${JSON.stringify(state)}\n`)
    },
    close: () => closeSync(file),
    complete: () => rmSync(snapshotPath(path), { force: true }),
  }
}

/** What the whole lines of a file are as JSON; undefined of one that is none. */
export function* linesOf(path: string): Generator<unknown, void, void> {
  for (const { text } of wholeLines(path)) yield jsonOf(text)
}

/** The lines that end in a line feed, each with the place in the file where it ends. */
function* wholeLines(path: string): Generator<{ text: string; end: number }, void, void> {
  let pieces: Buffer[] = []
  let end = 0
  for (const { bytes, ends } of piecesOf(path)) {
    pieces.push(bytes)
    end += bytes.length
    if (!ends) continue
    end++
    yield { text: Buffer.concat(pieces).toString('utf8'), end }
    pieces = []
  }
}

/**
 * Lines from byte `at` on in pieces, of which the last one of a line ends it, without its line feed: files may be larger
 * than memory.
 */
function* piecesOf(path: string, at = 0): Generator<{ bytes: Buffer; ends: boolean }, void, void> {
  const file = refusing(path, () => openSync(path, 'r'))
  try {
    const chunk = Buffer.alloc(1 << 16)
    while (true) {
      const size = refusing(path, () => readSync(file, chunk, 0, chunk.length, at))
      if (size === 0) return
      at += size
      let from = 0
      for (let feed = chunk.indexOf(10); feed >= 0 && feed < size; feed = chunk.indexOf(10, from)) {
        yield { bytes: Buffer.from(chunk.subarray(from, feed)), ends: true }
        from = feed + 1
      }
      if (from < size) yield { bytes: Buffer.from(chunk.subarray(from, size)), ends: false }
    }
  } finally {
    closeSync(file)
  }
}
