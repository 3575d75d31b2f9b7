/**
 * How long `import 'moesim'` takes in a fresh Node process, beside an empty module: what the command line and
 * every worker pay before their first token. Run: npm run bench:import
 */
import { execFileSync } from 'node:child_process'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'

const runs = 15
const root = fileURLToPath(new URL('..', import.meta.url))

/** Milliseconds that a fresh process spends inside one import. */
function importOnce(specifier: string): number {
  const code = `
    const start = performance.now()
    await import(${JSON.stringify(specifier)})
    console.log(performance.now() - start)`
  const args = ['--input-type=module', '-e', code]
  return Number(execFileSync(process.execPath, args, { cwd: root, encoding: 'utf8' }))
}

const times: Record<string, number[]> = { 'an empty module': [], moesim: [] }
// The two take turns, so that a slow moment of the machine falls on both. The first round only fills the disk cache.
for (let run = -1; run < runs; run++) {
  const empty = importOnce('data:text/javascript,')
  const library = importOnce('moesim')
  if (run < 0) continue
  times['an empty module']!.push(empty)
  times.moesim!.push(library)
}

const median = (sorted: number[]): number => sorted[sorted.length >> 1]!
const ms = (value: number): string => value.toFixed(1).padStart(8)

console.log(
  `import in a fresh process, ms, ${runs} runs; Node ${process.version}, ${cpus()[0]?.model.trim()}`,
)
console.log(`${''.padEnd(16)}${['median', 'least', 'most'].map((head) => head.padStart(8)).join('')}`)
const medians = Object.entries(times).map(([name, unsorted]) => {
  const sorted = unsorted.toSorted((a, b) => a - b)
  console.log(`${name.padEnd(16)}${ms(median(sorted))}${ms(sorted[0]!)}${ms(sorted.at(-1)!)}`)
  return median(sorted)
})
console.log(`${'difference'.padEnd(16)}${ms(medians[1]! - medians[0]!)}`)
