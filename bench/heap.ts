/*
What does a step of simulate allocate, and how much of it grows with the tokens? A heap profile of the step that a kernel makes
(gaussian logits, bias balancing, 128 experts): bytes a step by the line that asked for them, whatever became of them.

npm run bench:heap
*/
import { readFileSync } from 'node:fs'
import { type HeapProfiler, Session } from 'node:inspector'
import { SourceMap, type SourceMapping } from 'node:module'
import { biasBalance, gaussian, nemotron3Nano, routerOf, simulate } from 'moesim'

type Node = HeapProfiler.SamplingHeapProfileNode

const sizes = [1024, 4096, 16_384]
/** Steps until V8 has compiled what it will compile, steps that are measured, and so few that no garbage is collected in most of them. */
const [warmUp, measured, unpaused] = [400, 400, 5]

const sources = new SourceMap(
  JSON.parse(readFileSync(new URL('../dist/index.js.map', import.meta.url), 'utf8')),
)
const session = new Session()
session.connect()
session.post('HeapProfiler.enable')

interface Allocated {
  /** Bytes a step on the heap, by line. */
  readonly lines: ReadonlyMap<string, number>
  /** Bytes a step of typed arrays' memory, which lies beside the heap. */
  readonly beside: number
}

function allocated(tokensPerStep: number): Allocated {
  const router = routerOf(nemotron3Nano)
  const workload = gaussian({ numExperts: router.numExperts, skew: 0.3 })
  const run = simulate({ router, workload, balance: biasBalance({ rate: 1e-3 }), tokensPerStep })
  const go = (steps: number): void => {
    for (let i = 0; i < steps; i++) run.next()
  }
  go(warmUp)
  const besides = Array.from({ length: 8 }, () => {
    const before = process.memoryUsage().arrayBuffers
    go(unpaused)
    return (process.memoryUsage().arrayBuffers - before) / unpaused
  })
  const collected = { includeObjectsCollectedByMajorGC: true, includeObjectsCollectedByMinorGC: true }
  session.post('HeapProfiler.startSampling', { samplingInterval: 512, ...collected })
  go(measured)
  const lines = new Map<string, number>()
  // The answer comes before `post` returns: what is asked is this very thread.
  session.post('HeapProfiler.stopSampling', (_, { profile }) => addTo(lines, profile.head, 'elsewhere'))
  return { lines, beside: Math.max(...besides) } // less where garbage was collected meanwhile
}

/** What the engine's own functions make, such as `map`, they make for the line of ours that calls them. */
function addTo(lines: Map<string, number>, { callFrame, selfSize, children }: Node, caller: string): void {
  const { url, functionName, lineNumber, columnNumber } = callFrame
  const ours = url.endsWith('/dist/index.js')
  const { originalSource, originalLine } = sources.findEntry(lineNumber, columnNumber) as SourceMapping
  const line = ours
    ? `${originalSource.replace('../', '')}:${originalLine + 1} ${functionName}`.trim()
    : caller
  lines.set(line, (lines.get(line) ?? 0) + selfSize / measured)
  for (const child of children) addTo(lines, child, line)
}

const all = sizes.map(allocated)
const row = (name: string, bytes: (one: Allocated) => number): string =>
  [...all.map((one) => Math.round(bytes(one)).toString().padStart(8)), name].join('  ')
const at =
  (name: string) =>
  ({ lines }: Allocated): number =>
    lines.get(name) ?? 0

console.log(`${sizes.map((size) => String(size).padStart(8)).join('  ')}  tokens: bytes a step`)
console.log(row('on the heap', ({ lines }) => [...lines.values()].reduce((sum, bytes) => sum + bytes, 0)))
console.log(row('of typed arrays, beside it\n', ({ beside }) => beside))
const names = [...new Set(all.flatMap(({ lines }) => [...lines.keys()]))]
const most = (name: string): number => Math.max(...all.map(at(name)))
for (const name of names.toSorted((a, b) => most(b) - most(a)).slice(0, 30)) console.log(row(name, at(name)))
