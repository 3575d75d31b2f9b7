#!/usr/bin/env node
import { readStream } from '../node/files.js'
import { run } from './run.js'

// Whoever reads may have enough, as `head` does: that is no failure.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit(0)
  })
}

let interrupt: AbortController | undefined

process.exitCode = await run(process.argv.slice(2), {
  stdin: (mostBytes) => readStream(process.stdin, mostBytes),
  stdout: (text) => process.stdout.write(text),
  stderr: (text) => process.stderr.write(text),
  colors: process.stdout.isTTY && process.stdout.hasColors(),
  stderrIsTTY: process.stderr.isTTY,
  columns: process.stdout.columns || 80, // a terminal may say 0
  now: () => performance.now(),
  // Only a command that asks for it takes Ctrl-C into its own hands; any other, and a second Ctrl-C, ends at once.
  get signal() {
    if (interrupt === undefined) {
      interrupt = new AbortController()
      process.once('SIGINT', () => interrupt?.abort())
    }
    return interrupt.signal
  },
})
