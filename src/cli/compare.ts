import type { Command } from 'commander'
import { type PartCount, writeCsv } from '../index.js'
import { type Counted, conventions, counted, figuresByPath, partsOf, words } from './figures.js'
import { exitCode, type Io } from './io.js'
import { modelHelp, modelsToCount } from './models.js'
import { addOutputOptions, demandOneForm, type Output } from './output.js'
import { contextTokens, memoryRows, operationRows } from './resources.js'
import { grouped, percent, table } from './table.js'

interface Given extends Output {
  readonly assume?: string
}

export function addCompare(program: Command, io: Io, done: (code: number) => void): void {
  const command = program
    .command('compare')
    .description('count two models, part by part, with their differences')
    .argument('<a>', modelHelp)
    .argument('<b>', 'another')
  addOutputOptions(command)
    .addHelpText('after', '\nExample:\n  $ moesim compare nemotron-3-nano-30b-a3b qwen3-30b-a3b\n')
    .action(async (a: string, b: string, given: Given) => done(await compare([a, b], given, io)))
}

async function compare(names: readonly string[], given: Given, io: Io): Promise<number> {
  demandOneForm(given)
  const context = contextTokens(given)
  const [a, b] = (await modelsToCount(names, io, given.assume)).map((model) => counted(model, context))
  io.stdout(comparison(a, b, given, `${a.name} and ${b.name}\n\n`))
  return exitCode.ok
}

/** Two models side by side, and how much more the second has. */
export function comparison(a: Counted, b: Counted, { json, csv }: Output, title: string): string {
  if (json || csv) {
    const [ofA, ofB] = [figuresByPath(a), figuresByPath(b)]
    const paths = [...new Set([...ofA.keys(), ...ofB.keys()])]
    const rows = paths.map((path) => {
      const [before, after] = [ofA.get(path) ?? 0, ofB.get(path) ?? 0]
      return { figure: path, a: before, b: after, difference: after - before }
    })
    if (csv) return writeCsv([['figure', 'a', 'b', 'difference'], ...rows.map((row) => Object.values(row))])
    const { a: nameA, b: nameB } = { a: a.name, b: b.name }
    return `${JSON.stringify({ a: nameA, b: nameB, figures: rows }, null, 2)}\n`
  }
  const parts = (of: keyof PartCount): string[][] =>
    partsOf([a, b]).map((part) => line(words(part), a.parts[part]?.[of] ?? 0, b.parts[part]?.[of] ?? 0))
  const header = (what: string): string[] => [what, a.label, b.label, 'difference', '']
  const mtp = a.mtp + b.mtp === 0 ? [] : [line('MTP blocks', a.mtp, b.mtp)]
  const context = grouped(a.contextTokens)
  const rows = (of: typeof memoryRows): string[][] =>
    of(context).map(([name, figure]) => line(name, figure(a), figure(b)))
  const active = conventions.map(([name, key]) => line(name, a.active[key], b.active[key]))
  return [
    `${title.trimEnd()}\n`,
    table(header('parameters'), [...parts('total'), line('sum', a.total, b.total), ...mtp]),
    table(header('active for a token'), [...parts('active'), ...active]),
    table(header('memory, bytes'), rows(memoryRows)),
    table(header('forward FLOPs'), rows(operationRows)),
  ].join('\n')
}

/** The difference with its sign, and as a share of `a`. */
function line(name: string, a: number, b: number): string[] {
  const sign = b > a ? '+' : ''
  const share = a === 0 || a === b ? '' : `${sign}${percent(b / a - 1)}`
  return [name, grouped(a), grouped(b), `${sign}${grouped(b - a)}`, share]
}
