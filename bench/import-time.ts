/**
 * How long `import 'moesim'` takes in a fresh Node process, beside an empty module: what the command line and every worker
 * pay before their first token.
 */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { inRounds, type Table } from './rounds.js'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Milliseconds that a fresh process spends inside one import. */
function importOnce(specifier: string): { overriddenDuration: number } {
  const code = `
    const start = performance.now()
    await import(${JSON.stringify(specifier)})
    console.log(performance.now() - start)`
  const args = ['--input-type=module', '-e', code]
  return { overriddenDuration: Number(execFileSync(process.execPath, args, { cwd: root, encoding: 'utf8' })) }
}

export async function importTables(): Promise<Table[]> {
  const contenders = [
    { name: 'an empty module', run: () => importOnce('data:text/javascript,') },
    { name: "import 'moesim'", run: () => importOnce('moesim') },
  ]
  return [await inRounds('import in a fresh process', contenders, { rounds: 15, time: 1 })]
}
