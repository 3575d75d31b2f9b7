/** Batteries of tests of randomness that Debian has, as child processes which read words from stdin. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Words } from './streams.js'

export interface Result {
  readonly test: string
  readonly p: number
}

export interface Battery {
  readonly name: string
  run(words: Words): Promise<Result[]>
}

/** Those that are here, and what to do about those that are not. */
export function findBatteries(): { found: Battery[]; missing: string[] } {
  const all = [smallCrush(), dieharder()]
  return {
    found: all.filter((one) => typeof one !== 'string'),
    missing: all.filter((one) => typeof one === 'string'),
  }
}

/** It is built where the library is: fifteen p-values. */
function smallCrush(): Battery | string {
  const program = join(mkdtempSync(join(tmpdir(), 'smallcrush-')), 'smallcrush')
  const source = fileURLToPath(new URL('smallcrush.c', import.meta.url))
  const libraries = ['-ltestu01', '-ltestu01probdist', '-ltestu01mylib', '-lm']
  try {
    execFileSync('cc', ['-O2', source, ...libraries, '-o', program], { stdio: 'ignore' })
  } catch {
    return 'TestU01 is missing: apt-get install gcc libtestu01-0-dev (of Debian, section non-free).'
  }
  return {
    name: 'SmallCrush',
    async run(words) {
      const lines = (await fed(words, program, [])).filter((line) => line.startsWith('p-value|'))
      return lines.map((line) => {
        const [, test, p] = line.split('|')
        return { test, p: Number(p) }
      })
    },
  }
}

/**
 * Tests that dieharder itself calls good, a size each; it does not trust OPSO, OQSO, DNA and Sums (5, 6, 7 and 14). The GCD and
 * the Kolmogorov-Smirnov test take a tenth of their usual samples, being the slowest by far.
 */
const diehardTests = [
  ...[0, 1, 2, 3, 4, 8, 9, 10, 11, 12, 13, 15, 16, 100, 101, 102, 202, 203, 205, 206, 207, 208, 209].map(
    (d) => [`-d${d}`],
  ),
  ['-d17', '-p10'],
  ['-d200', '-n4'],
  ['-d201', '-n2'],
  ['-d204', '-p100'],
]

/** Exact p-values (-k 2), and more samples where a first answer is in doubt (-Y 1). */
function dieharder(): Battery | string {
  try {
    execFileSync('dieharder', ['-l'], { stdio: 'ignore' })
  } catch {
    return 'dieharder is missing: apt-get install dieharder.'
  }
  return {
    name: 'dieharder',
    async run(words) {
      const results: Result[] = []
      for (const test of diehardTests) {
        const rows = (await fed(words, 'dieharder', ['-g200', '-k2', '-Y1', ...test])).map((line) =>
          line.split('|').map((cell) => cell.trim()),
        )
        // A test that takes more samples prints a row each time: the last one counts.
        const last = new Map(
          rows.flatMap((row) =>
            row.length === 6 && /^[0-9.]+$/.test(row[4]) ? [[`${row[0]} ${row[1]}`, row[4]]] : [],
          ),
        )
        if (last.size === 0) throw new Error(`dieharder ${test.join(' ')} gave no p-value`)
        for (const [name, p] of last) results.push({ test: name, p: Number(p) })
      }
      return results
    },
  }
}

/** The lines that a program prints which reads words until it has enough. */
async function fed(words: Words, program: string, given: readonly string[]): Promise<string[]> {
  const child = spawn(program, given, { stdio: ['pipe', 'pipe', 'inherit'] })
  let printed = ''
  let open = true
  child.stdout.setEncoding('utf8').on('data', (text) => {
    printed += text
  })
  child.stdin.on('error', () => {}) // it has read enough
  const ended = once(child, 'close').then(([code]) => {
    open = false
    if (code !== 0) throw new Error(`${program} ${given.join(' ')} ended with ${code}`)
  })
  while (open) {
    const some = new Uint32Array(65536)
    for (let i = 0; i < some.length; i++) some[i] = words()
    const goesOn = child.stdin.write(new Uint8Array(some.buffer))
    if (!goesOn) await Promise.race([once(child.stdin, 'drain'), ended]).catch(() => {})
  }
  await ended
  return printed.split('\n')
}
