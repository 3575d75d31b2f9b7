import type { Command } from 'commander'
import { writeCsv } from '../index.js'
import { changed, fieldsOf } from './changes.js'
import { configBeside, reportCheckpoint } from './checkpoint.js'
import { comparison } from './compare.js'
import { type Counted, columns, conventions, counted, figuresByPath, partsOf, words } from './figures.js'
import { demandUsage } from './given.js'
import { exitCode, type Io } from './io.js'
import { modelHelp, modelsToCount } from './models.js'
import { addOutputOptions, demandOneForm, type Output } from './output.js'
import { defaultPreset } from './preset.js'
import { billions, describePublished } from './published.js'
import { contextTokens, memoryRows, operationParts, operationRows } from './resources.js'
import { grouped, percent, table } from './table.js'

interface Given extends Output {
  readonly assume?: string
  readonly set?: readonly string[]
  readonly checkpoint?: readonly string[]
}

export function addCount(program: Command, io: Io, done: (code: number) => void): void {
  const command = program
    .command('count')
    .description('count the parameters of models, and those active for a token')
    .argument('[models...]', `${modelHelp}; ${defaultPreset} unless given`)
    .option('--set <field=value>', 'show what changes with a field of the config; may be repeated', collect)
    .option(
      '--checkpoint <file>',
      'compare with a .safetensors file, its index.json, or a .gguf file; may be repeated',
      collect,
    )
  addOutputOptions(command)
    .addHelpText('after', examples)
    .action(async (names: string[], given: Given) => done(await count(names, given, io)))
}

const examples = `
Examples:
  $ moesim count ${defaultPreset} qwen3-30b-a3b
  $ moesim count qwen3-30b-a3b --context 131072
  $ moesim count path/to/config.json --set num_experts_per_tok=8
  $ moesim count unknown/config.json --assume llama-moe --json
  $ moesim count deepseek-v3 --checkpoint path/to/model.safetensors.index.json
`

const collect = (value: string, before: readonly string[] = []): string[] => [...before, value]

async function count(names: readonly string[], given: Given, io: Io): Promise<number> {
  demandOneForm(given)
  const { checkpoint } = given
  const unnamed = (): string => (checkpoint === undefined ? defaultPreset : configBeside(checkpoint[0]))
  const context = contextTokens(given)
  const models = await modelsToCount(names.length === 0 ? [unnamed()] : names, io, given.assume)
  if (checkpoint !== undefined) {
    const alone = models.length === 1 && given.set === undefined
    demandUsage(
      alone,
      'count: --checkpoint must stand with one model, as it is',
      names.join(' '),
      'Name one.',
    )
    const { text, code } = await reportCheckpoint(models[0].model, checkpoint, given)
    io.stdout(text)
    return code
  }
  if (given.set !== undefined) {
    const remedy = 'Name one, or set them up as two files and use moesim compare.'
    demandUsage(models.length === 1, 'count: --set must stand with one model', models.length, remedy)
    const fields = fieldsOf(given.set)
    const [before, after] = [models[0], changed(models[0], fields)].map((model) => counted(model, context))
    const title = `${before.name}, ${given.set.join(', ')}\n\n`
    io.stdout(comparison({ ...before, label: 'as it is' }, { ...after, label: 'changed' }, given, title))
    return exitCode.ok
  }
  const all = models.map((model) => counted(model, context))
  const text = all.length === 1 ? one : several
  io.stdout(given.json ? asJson(all) : given.csv ? asCsv(all) : text(all))
  return exitCode.ok
}

function asJson(models: readonly Counted[]): string {
  const entries = models.map(({ label, published, ...figures }) => {
    if (published === undefined) return { model: label, ...figures }
    const { publishedIn, total, active, exact, note } = published
    return { preset: label, ...figures, published: { publishedIn, total, active, exact, note } }
  })
  return `${JSON.stringify(entries.length === 1 ? entries[0] : entries, null, 2)}\n`
}

/** A line for each model; the columns are the figures by their paths in the JSON, empty for parts that it lacks. */
function asCsv(models: readonly Counted[]): string {
  const figures = models.map(figuresByPath)
  const paths = [...new Set(figures.flatMap((own) => [...own.keys()]))]
  const publishedColumns = ['published.total.billions', 'published.total.verdict']
  const activeColumns = ['published.active.billions', 'published.active.verdict']
  const rows = models.map(({ label, name, published }, i) => [
    label,
    name,
    ...paths.map((path) => figures[i].get(path)),
    ...[published?.total.billions, published?.total.verdict],
    ...[published?.active?.billions, published?.active?.verdict],
  ])
  return writeCsv([['model', 'name', ...paths, ...publishedColumns, ...activeColumns], ...rows])
}

function one([model]: readonly Counted[]): string {
  const { name, total, active, mtp, parts, published, contextTokens } = model
  const context = grouped(contextTokens)
  const row = (name: string, all: number, used: number): string[] => [name, grouped(all), grouped(used)]
  const rows = Object.entries(parts).map(([part, count]) => row(words(part), count.total, count.active))
  const blocks =
    mtp === 0
      ? []
      : [
          ['MTP blocks', grouped(mtp), ''],
          ['sum with them', grouped(total + mtp), ''],
        ]
  const shares = conventions.map(([name, key]) => [name, grouped(active[key]), percent(active[key] / total)])
  return [
    `${name}\n`,
    table(['parameters', 'total', 'active'], [...rows, row('sum', total, active.withEmbedding), ...blocks]),
    table(['active for a token', 'parameters', 'of the total'], shares),
    table(
      ['memory', 'bytes'],
      memoryRows(context).map(([name, of]) => [name, grouped(of(model))]),
    ),
    operationTable(model),
    ...(published ? [describePublished(published)] : []),
  ].join('\n')
}

/** What the operations are spent on. */
function operationTable({ flops: { prefill, prefillPerToken, decode }, contextTokens }: Counted): string {
  const header = ['forward FLOPs', ...operationRows(grouped(contextTokens)).map(([name]) => name)]
  const [all, next] = [operationParts(prefill), operationParts(decode)]
  const row = (name: string, once: number, each: number, decoded: number): string[] => [
    name,
    ...[once, each, decoded].map(grouped),
  ]
  const rows = [...all].map(([part, once]) =>
    row(words(part), once, Math.round(once / contextTokens), next.get(part) ?? 0),
  )
  return table(header, [...rows, row('sum', prefill.total, prefillPerToken, decode.total)])
}

/** Models side by side. */
function several(models: readonly Counted[]): string {
  const context = grouped(models[0].contextTokens)
  const ifAny = (mtp: number, value: number): number | undefined => (mtp === 0 ? undefined : value)
  const tables = [
    columns('parameters', models, [
      ...partsOf(models).map((part) => [words(part), ({ parts }: Counted) => parts[part]?.total] as const),
      ['sum', ({ total }) => total],
      ['MTP blocks', ({ mtp }) => ifAny(mtp, mtp)],
      ['sum with them', ({ mtp, total }) => ifAny(mtp, total + mtp)],
      ['published', ({ published }) => published && billions(published.total)],
      ['verdict', ({ published }) => published?.total.verdict],
    ]),
    columns('active for a token', models, [
      ...conventions.map(([name, key]) => [name, ({ active }: Counted) => active[key]] as const),
      ['published', ({ published }) => published?.active && billions(published.active)],
      ['verdict', ({ published }) => published?.active?.verdict],
    ]),
    columns('memory, bytes', models, memoryRows(context)),
    columns('forward FLOPs', models, operationRows(context)),
  ]
  return tables.join('\n')
}
