import type { Command } from 'commander'
import { countParameters, type ParameterCount } from '../index.js'
import { exitCode, type Io } from './io.js'
import { defaultPreset, presetOf } from './preset.js'
import { grouped, percent, table } from './table.js'

export function addCount(program: Command, io: Io, done: (code: number) => void): void {
  program
    .command('count')
    .description('count the parameters of a model, and those active for a token')
    .argument('[preset]', 'which model', defaultPreset)
    .option('--json', 'print the figures as JSON')
    .addHelpText('after', `\nExample:\n  $ moesim count ${defaultPreset}\n`)
    .action((preset: string, { json }: { json?: true }) => done(count(preset, json === true, io)))
}

function count(preset: string, json: boolean, io: Io): number {
  const model = presetOf(preset)
  const figures = countParameters(model)
  const text = json
    ? JSON.stringify({ preset, name: model.name, ...figures }, null, 2)
    : `${model.name}\n\n${tables(figures)}`
  io.stdout(`${text.trimEnd()}\n`)
  return exitCode.ok
}

function tables({ total, active, parts }: ParameterCount): string {
  const row = (name: string, all: number, used: number): string[] => [name, grouped(all), grouped(used)]
  const words = (part: string): string => part.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
  const rows = Object.entries(parts).map(([name, part]) => row(words(name), part.total, part.active))
  const conventions: [string, number][] = [
    ['backbone', active.backbone],
    ['with head', active.withHead],
    ['with head and embedding', active.withEmbedding],
  ]
  const shares = conventions.map(([name, used]) => [name, grouped(used), percent(used / total)])
  return [
    table(['parameters', 'total', 'active'], [...rows, row('sum', total, active.withEmbedding)]),
    table(['active for a token', 'parameters', 'of the total'], shares),
  ].join('\n')
}
