/*
npm run bench                      everything, beside the peers that are here
npm run bench -- route layer       some of it
npm run bench -- --json FILE       keeps the run
npm run bench:compare FILE         says what has changed since a run that was kept
npm run bench -- --write           puts the tables of everything in bench/README.md
*/
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { dirname } from 'node:path'
import { parseArgs } from 'node:util'
import { countTables } from './count.js'
import { importTables } from './import-time.js'
import { layerTables } from './layer.js'
import { findPeers, type Peers } from './peers/find.js'
import { placeTables } from './place.js'
import { changes, headline, isRun, printed, type Run } from './report.js'
import { madeInAll, type Table } from './rounds.js'
import { routeTables } from './route.js'
import { simulateTables } from './simulate.js'
import { threadsTables } from './threads.js'

const paths: Record<string, (peers: Peers) => Promise<Table[]>> = {
  route: routeTables,
  simulate: simulateTables,
  layer: layerTables,
  count: countTables,
  place: placeTables,
  import: importTables,
  threads: threadsTables,
}

const usage = `Usage: npm run bench [-- NAME ...] [--json FILE] [--write]
       npm run bench:compare FILE [NAME ...]
A NAME is one of ${Object.keys(paths).join(', ')}; a FILE for bench:compare is what --json has written.`

/** A command line that was not understood ends with exit code 2, as that of moesim does. */
function misused(what: string): never {
  console.error(`${what}\n${usage}`)
  process.exit(2)
}

function asked() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        json: { type: 'string' },
        compare: { type: 'string' },
        write: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    const { message } = error as Error
    return misused(
      message.includes('--compare') ? 'bench:compare needs the FILE of an earlier run.' : message,
    )
  }
}

/** The run that --json has kept in a file. */
function keptRun(path: string): Run {
  try {
    const run: unknown = JSON.parse(readFileSync(path, 'utf8'))
    if (isRun(run)) return run
  } catch (error) {
    misused(`${path} cannot be read: ${(error as Error).message}`)
  }
  return misused(`${path} holds no run.`)
}

/** The processor, with its family and model where Linux tells them: one name may stand for several, and ratios differ between them. */
function processor(): string {
  const told = existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : ''
  const [, family, model] = /^cpu family\s*: (\d+)\nmodel\s*: (\d+)/m.exec(told) ?? []
  return `${cpus()[0].model.trim()}${family ? ` (family ${family}, model ${model})` : ''}`
}

const { values, positionals } = asked()
if (values.help) {
  console.log(usage)
  process.exit(0)
}
const unknown = positionals.find((name) => !Object.hasOwn(paths, name))
if (unknown !== undefined) misused(`There is no bench ${unknown}.`)
if (values.write && positionals.length > 0)
  misused('--write puts the tables of a whole run in the place of those before: leave the names out.')
if (values.json !== undefined && !existsSync(dirname(values.json)))
  misused(`--json needs a folder that exists: there is no ${dirname(values.json)}.`)
if (values.json !== undefined && statSync(values.json, { throwIfNoEntry: false })?.isDirectory())
  misused(`--json needs a file: ${values.json} is a folder.`)
const before = values.compare === undefined ? undefined : keptRun(values.compare)

const peers = await findPeers()
const busy = loadavg()[0].toFixed(1)
const run: Run = {
  date: new Date().toISOString().slice(0, 10),
  machine: `${processor()}, ${cpus().length} cores, load ${busy} at the start; Node ${process.versions.node}`,
  peers: peers.versions,
  tables: [],
}
console.log([run.machine, run.peers, ...peers.missing, ''].join('\n'))

async function timeAll(): Promise<void> {
  for (const name of positionals.length > 0 ? positionals : Object.keys(paths)) {
    for (const table of await paths[name](peers)) {
      run.tables.push(table)
      console.log(`${printed(table)}\n`)
    }
  }
}
const failure: unknown = await timeAll().catch((error) => error)
peers.python?.close()
if (failure !== undefined) {
  console.error(failure) // told by hand: thrown, tfjs's wasm module would print the whole of itself before it
  process.exit(1)
}

if (before !== undefined) console.log(changes(before, run))
else console.log(headline(run))
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(run, null, 1)}\n`)
if (values.write) {
  const readme = new URL('README.md', import.meta.url)
  const marked = /(?<=<!-- results -->\n)[\s\S]*(?=<!-- \/results -->)/
  const tables = run.tables.map((table) => `\`\`\`text\n${printed(table)}\n\`\`\`\n`).join('\n')
  const results = `\n${run.date}, ${run.machine}; ${run.peers}.\n\n${tables}\n`
  writeFileSync(
    readme,
    readFileSync(readme, 'utf8').replace(marked, () => results),
  )
}
if (Number.isNaN(madeInAll())) console.log('Something computed NaN.')
