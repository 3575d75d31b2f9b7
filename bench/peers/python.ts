/**
 * PyTorch and NumPy in a Python of their own, one thread, which takes its turns when it is told to and measures them itself:
 * its rounds lie between ours. Where there is none, the peers are missing, and that is said.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Contender } from '../rounds.js'

export interface Python {
  /** Of both modules, the BLAS that multiplies for both, and whether there is an eplb.py. */
  readonly versions: {
    readonly numpy: string
    readonly torch?: string
    readonly blas: string
    readonly eplb: boolean
  }
  /** Values as a file that Python can read. */
  file(values: Float32Array | Int32Array): string
  /** A contender of peers.py, named `kind`, with its options. Undefined where it needs a module that is missing. */
  contender(name: string, kind: string, options: object): Promise<PythonContender | undefined>
  close(): void
}

export interface PythonContender extends Contender {
  /** What it computes at turn 0, each array as its bytes. */
  readonly results: () => Promise<Buffer[]>
}

const one = { OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1', MKL_NUM_THREADS: '1' }
const script = fileURLToPath(new URL('peers.py', import.meta.url))

/** The first Python that has both modules, else the first that has NumPy. */
function findPython(): string | undefined {
  const places = [...(process.env.PYTHON ? [process.env.PYTHON] : []), 'python3', '/usr/bin/python3']
  const runs = (code: string) => (place: string) =>
    spawnSync(place, ['-c', code], { stdio: 'ignore' }).status === 0
  const both = 'import numpy, torch; torch.from_numpy(numpy.zeros(1))' // they must fit one another, too
  return places.find(runs(both)) ?? places.find(runs('import numpy'))
}

export async function startPython(): Promise<Python | undefined> {
  const place = findPython()
  if (place === undefined) return undefined
  const child = spawn(place, [script], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...one },
  })
  const ask = asker(child)
  const folder = mkdtempSync(join(tmpdir(), 'moesim-bench-'))
  const versions = (await ask({ do: 'versions' })) as Python['versions']
  let files = 0
  return {
    versions,
    file(values) {
      const path = join(folder, String(files++))
      writeFileSync(path, values)
      return path
    },
    async contender(name, kind, options) {
      const { missing } = (await ask({ do: 'make', name, kind, options })) as { missing?: string }
      if (missing !== undefined) return undefined
      return {
        name,
        async: true,
        run: async (turn) => {
          const { ms } = (await ask({ do: 'run', name, turn })) as { ms: number }
          return { overriddenDuration: ms }
        },
        results: async () => {
          const { arrays } = (await ask({ do: 'show', name })) as { arrays: string[] }
          return arrays.map((array) => Buffer.from(array, 'base64'))
        },
      }
    },
    close() {
      child.stdin?.end()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** One command a line, one answer a line, in order. */
function asker(child: ChildProcess): (command: object) => Promise<unknown> {
  const waiting: { resolve: (answer: unknown) => void; reject: (error: Error) => void }[] = []
  createInterface({ input: child.stdout! }).on('line', (line) => waiting.shift()?.resolve(JSON.parse(line)))
  child.on('exit', (code) => {
    for (const { reject } of waiting) reject(new Error(`Python ended with ${code}: see above.`))
  })
  return (command) =>
    new Promise((resolve, reject) => {
      waiting.push({ resolve, reject })
      child.stdin!.write(`${JSON.stringify(command)}\n`)
    })
}
