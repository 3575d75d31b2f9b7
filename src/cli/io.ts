import type { Terminal } from '../node/progress.js'

/** All that a command may touch, handed in, so that a test can stand in for the terminal. */
export interface Io {
  /** Reports: the same bytes for the same input. */
  stdout(text: string): void
  /** All of standard input. Throws an InputError on more than so many bytes. */
  stdin(mostBytes: number): Promise<Uint8Array>
  /** Chatter: progress, errors, how to go on. */
  stderr(text: string): void
  /** Whether stdout shows colours, and whether stderr can redraw a line. */
  readonly colors: boolean
  readonly stderrIsTTY: boolean
  readonly columns: number
  /** Milliseconds. It decides when to redraw and to save, never what is reported. */
  now(): number
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal
}

/** Standard error as a place for a progress bar. */
export const terminalOf = (io: Io): Terminal => ({
  write: io.stderr,
  isTTY: io.stderrIsTTY,
  columns: io.columns,
  now: io.now,
})

/** Exit codes: all is well; input refused or a check failed; a command line not understood; interrupted. */
export const exitCode = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const
