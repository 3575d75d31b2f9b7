import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Io } from '../../dist/cli/io.js'
import { run } from '../../dist/cli/run.js'

/** A terminal of paper: it keeps what is written, and its clock stands still. */
export function terminal(own: Partial<Io> = {}): { io: Io; stdout(): string; stderr(): string } {
  let out = ''
  let err = ''
  const io: Io = {
    stdout: (text) => {
      out += text
    },
    stderr: (text) => {
      err += text
    },
    stdin: async () => new Uint8Array(),
    colors: false,
    stderrIsTTY: false,
    columns: 80,
    now: () => 0,
    signal: new AbortController().signal,
    ...own,
  }
  return { io, stdout: () => out, stderr: () => err }
}

/** Runs a command line in this process. */
export async function moesim(
  words: string | readonly string[],
  own: Partial<Io> = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  const paper = terminal(own)
  const argv = typeof words === 'string' ? words.split(' ').filter((word) => word !== '') : words
  const code = await run(argv, paper.io)
  return { code, stdout: paper.stdout(), stderr: paper.stderr() }
}

/** A clock that presses Ctrl-C when it is looked at for the `n`th time, which a simulation does once a step. */
export function interruptAt(n: number): Pick<Io, 'now' | 'signal'> {
  const control = new AbortController()
  let looks = 0
  return {
    now() {
      looks++
      if (looks === n) control.abort()
      return 0
    },
    signal: control.signal,
  }
}

/** The lines of a file of `simulate --out`. */
export const reports = (path: string) =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))

export const newFolder = (): string => mkdtempSync(join(tmpdir(), 'moesim-'))

export const dataFile = (name: string): string =>
  fileURLToPath(new URL(`../../examples/data/${name}`, import.meta.url))
