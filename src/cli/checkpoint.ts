import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import {
  type CheckpointComparison,
  compareCheckpoint,
  countParameters,
  demand,
  type ModelConfig,
  tensorPart,
  writeCsv,
} from '../index.js'
import { type CheckpointIndex, readCheckpoint } from '../node/checkpoint.js'
import { words } from './figures.js'
import { exitCode } from './io.js'
import type { Output } from './output.js'
import { clipped, count, grouped, table, visible } from './table.js'

/** The config that stands beside a checkpoint. */
export function configBeside(path: string): string {
  const config = join(dirname(path), 'config.json')
  const remedy = 'Name the model before --checkpoint: a preset or the path of a config.json.'
  demand(existsSync(config), '--checkpoint: a config.json must stand beside it', path, remedy)
  return config
}

/** What the headers of a checkpoint hold against what the config says, and the exit code: failed if it is not explained. */
export async function reportCheckpoint(
  model: ModelConfig,
  paths: readonly string[],
  output: Output,
): Promise<{ text: string; code: number }> {
  const all = []
  for (const path of paths) all.push(await readCheckpoint(path))
  const index = all.find(({ index }) => index !== undefined)?.index
  const remedy = 'Name one index, or files that are there.'
  demand(
    index === undefined || paths.length === 1,
    '--checkpoint: an index must have its files to stand with others',
    index?.missing[0],
    remedy,
  )
  if (index !== undefined) return { text: indexReport(index, model, paths, output), code: exitCode.ok }
  const comparison = compareCheckpoint(
    model,
    all.flatMap(({ tensors }) => tensors),
  )
  const text = comparisonReport(comparison, paths, output)
  return { text, code: comparison.explained ? exitCode.ok : exitCode.failed }
}

function comparisonReport(
  comparison: CheckpointComparison,
  paths: readonly string[],
  { json, csv }: Output,
): string {
  const { tensors, numbers, dtypes, compared, explained, unknown, packed } = comparison
  if (json) return `${JSON.stringify({ checkpoint: paths, ...comparison }, null, 2)}\n`
  if (csv) {
    const rows = compared.map(({ part, config, checkpoint, why }) => [part, config, checkpoint, why])
    return writeCsv([['part', 'config', 'checkpoint', 'why'], ...rows])
  }
  const rows = compared.map(({ part, config, checkpoint }) => row(words(part), config, checkpoint))
  const sum = compared.reduce((before, { config }) => before + config, 0)
  const kinds = Object.entries(dtypes).map(([dtype, count]) => `${dtype} ${grouped(count)}`)
  const reasons = compared.flatMap(({ part, why }) => (why === undefined ? [] : [`${words(part)}: ${why}`]))
  const list = (title: string, names: readonly string[]): string[] =>
    names.length === 0 ? [] : [title, ...names.map((name) => `  ${visible(clipped(name))}`)]
  return [
    `${paths.join(', ')}: ${count(tensors, 'tensor')}; ${kinds.join(', ')}\n`,
    table(['parameters', 'config', 'checkpoint', 'difference'], [...rows, row('sum', sum, numbers)]),
    ...reasons,
    ...list('Tensors whose part is not known:', unknown),
    ...list('Weights packed in whole numbers; how many share one, the header does not say:', packed),
    explained ? 'The config explains every tensor.' : 'Not every difference is explained.',
    '',
  ].join('\n')
}

const row = (name: string, config: number, checkpoint: number): string[] => {
  const difference = checkpoint - config
  const shown = difference === 0 ? '' : `${difference > 0 ? '+' : ''}${grouped(difference)}`
  return [name, grouped(config), grouped(checkpoint), shown]
}

/** What an index tells without its files: the names of tensors, and the bytes of all. */
function indexReport(
  { names, totalBytes, totalParameters, missing }: CheckpointIndex,
  model: ModelConfig,
  paths: readonly string[],
  { json, csv }: Output,
): string {
  const tensors: Record<string, number> = {}
  for (const name of names) {
    const part = tensorPart(name, model)
    tensors[part] = (tensors[part] ?? 0) + 1
  }
  const { total, mtp } = countParameters(model)
  const config = total + mtp
  if (json)
    return `${JSON.stringify({ index: paths, config, totalBytes, totalParameters, tensors, missing }, null, 2)}\n`
  if (csv) return writeCsv([['part', 'tensors'], ...Object.entries(tensors)])
  const rows = Object.entries(tensors).map(([part, count]) => [words(part), grouped(count)])
  const said = [
    `The config has ${grouped(config)} parameters${mtp > 0 ? ', MTP blocks included' : ''}.`,
    ...(totalParameters === undefined ? [] : [`The index states ${grouped(totalParameters)}.`]),
    ...(totalBytes === undefined
      ? []
      : [
          `It states ${grouped(totalBytes)} bytes, ${(totalBytes / config).toFixed(4)} a parameter of the config.`,
        ]),
    `Only its files tell dtypes and shapes, and ${count(missing.length, 'file')} of it must be put beside it: ${missing[0]}${missing.length > 1 ? ' …' : ''}`,
  ]
  return `${paths.join(', ')}: ${count(names.length, 'tensor')}\n\n${table(['tensors of', 'number'], rows)}\n${said.join('\n')}\n`
}
