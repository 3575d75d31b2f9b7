import { existsSync } from 'node:fs'
import {
  demand,
  didYouMean,
  fromHuggingFaceConfig,
  InputError,
  type ModelConfig,
  parsePythonJson,
  presets,
  publishedModels,
  unplacedFields,
} from '../index.js'
import { headed, readBytes } from '../node/files.js'
import { demandUsage } from './given.js'
import type { Io } from './io.js'
import { presetOf } from './preset.js'
import { visible } from './table.js'

/** A model that the command line names. */
export interface NamedModel {
  /** As it was named: a preset, a path, or `-`. */
  readonly label: string
  readonly model: ModelConfig
  /** The config.json behind it, and how it is read; a preset may have none. */
  readonly config: object | undefined
  readonly read: (config: object) => ModelConfig
}

/** What a command says of the names it takes. */
export const modelHelp = "a preset, the path of a config.json, or '-' for one on standard input"

/** Above any config: those that name the format of every expert's matrices have some megabytes. */
const mostBytes = 1 << 24

/** The models of these names. Standard input can be read only once. */
export async function namedModels(labels: readonly string[], io: Io, assume?: string): Promise<NamedModel[]> {
  const once = labels.indexOf('-') === labels.lastIndexOf('-')
  demandUsage(once, "model: '-' must be named once", labels.length, 'Save standard input as a file.')
  const models: NamedModel[] = []
  for (const label of labels) models.push(await namedModel(label, io, assume))
  return models
}

/**
 * The same, to be counted. What is assumed hides no field that may hold parameters: the refusal without it names them, and
 * so does a warning with it.
 */
export async function modelsToCount(
  labels: readonly string[],
  io: Io,
  assume?: string,
): Promise<NamedModel[]> {
  const models = await namedModels(labels, io, assume)
  for (const { label, config = {} } of assume === undefined ? [] : models) {
    const fields = visible(unplacedFields(config))
    if (fields) io.stderr(`moesim: ${label}: ${fields} What they hold is not counted.\n`)
  }
  return models
}

/** The model of that name. Throws an InputError, headed by the name, on one that cannot be had or read. */
async function namedModel(label: string, io: Io, assume?: string): Promise<NamedModel> {
  const preset = Object.hasOwn(presets, label) ? presetOf(label) : undefined
  const config = preset ? publishedConfig(label) : await configOf(label, io)
  const name = preset?.name ?? (label === '-' ? 'standard input' : label)
  const read = (given: object): ModelConfig =>
    headed(label, () =>
      typed(() => fromHuggingFaceConfig(given, { name, ...(assume !== undefined && { assume }) })),
    )
  if (preset !== undefined && assume === undefined) return { label, model: preset, config, read }
  return { label, model: read(configBehind({ label, config })), config, read }
}

/** What the library says of its option, said of the one that is typed here. */
function typed<T>(act: () => T): T {
  try {
    return act()
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    throw new InputError(error.rule, error.value, error.remedy.replace('the option assume', '--assume'))
  }
}

/** Throws an InputError on a preset that comes without a config.json. */
export function configBehind({ label, config }: Pick<NamedModel, 'label' | 'config'>): object {
  if (config !== undefined) return config
  throw new InputError(
    'preset: it must come with a config.json to read it anew',
    label,
    'Give the path of a config.',
  )
}

const publishedConfig = (label: string): object | undefined =>
  Object.hasOwn(publishedModels, label) ? publishedModels[label].config : undefined

async function configOf(label: string, io: Io): Promise<object> {
  if (/^\w+:\/\//.test(label)) throw new InputError('model: it must be local', label, download)
  if (label !== '-' && !existsSync(label)) demandPath(label)
  const bytes = label === '-' ? await io.stdin(mostBytes) : readBytes(label, mostBytes)
  return headed(label, () => {
    const text = utf8(bytes)
    demand(
      !/^{"step":\d+,/.test(text),
      'model: it must be a preset or a config.json',
      'a run of simulate --out',
      ofRuns,
    )
    return parsePythonJson(text) as object
  })
}

const ofRuns =
  'A file of simulate --out is for moesim place and moesim cost --loads; to compare runs, print each with simulate --json.'

const download = 'Nothing is fetched: download its config.json, and give the path.'

/** What is no file may be a preset misspelt, or the name of a model on the hub. */
function demandPath(label: string): void {
  if (!/[/\\]|\.json$/.test(label)) presetOf(label)
  if (!/^[\w.-]+\/[\w.-]+$/.test(label) || label.endsWith('.json')) return
  const near = didYouMean(label.slice(label.indexOf('/') + 1), Object.keys(presets))
  throw new InputError('model: it must be a preset or a file that is there', label, `${near}${download}`)
}

function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new InputError('it must be text in UTF-8', `${bytes.length} bytes`, 'Save it as UTF-8.')
  }
}
