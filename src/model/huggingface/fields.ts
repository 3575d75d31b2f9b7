import { demand, demandWhole, InputError } from '../../errors.js'
import { isObject } from '../demands.js'
import { aliases, type Field } from './aliases.js'

type Constant = number | string | boolean
export type Constants = { readonly [F in Field]?: Constant | undefined }

/** A config, read for one layer of a stack. */
export interface Source {
  readonly config: Located
  readonly layer: number
  /** Layers of the stack: a field that is a list gives one value for each, or one for all. */
  readonly depth: number
  /** Blocks of multi-token prediction; a list may go on for them. */
  readonly blocks: number
  /** What holds where the config is silent. */
  readonly constants: Constants
  /** Fields that this part of the model reads under another name. */
  readonly renamed: { readonly [F in Field]?: Field | undefined }
}

interface Stated {
  readonly name: string
  readonly value: unknown
}

export const head = 'fromHuggingFaceConfig: '
const largest = 1 << 24 // of any size; whether it fits its place is the model's own check
const remedy = 'Take the config.json as it stands beside the checkpoint.'

/** All that a config says of each field, under any of its names. */
export type Located = { readonly [F in Field]?: readonly Stated[] }

export function locate(json: object): Located {
  const located = Object.entries(aliases).map(([field, names]): [string, Stated[]] => {
    const mentions = (names as readonly string[]).map((name) => ({ name, value: at(json, name) }))
    return [field, mentions.filter(({ value }) => value != null)]
  })
  return Object.fromEntries(located.filter(([, mentions]) => mentions.length > 0))
}

/** Own properties only, so that a config which lacks 'constructor.name' does not seem to have it. */
export function at(json: object, path: string): unknown {
  let value: unknown = json
  for (const name of path.split('.')) {
    if (!isObject(value) || !Object.hasOwn(value, name)) return undefined
    value = (value as Record<string, unknown>)[name]
  }
  return value
}

/** Every list of the config that one of the fields reads. */
export const listsOf = ({ config }: Source): unknown[][] =>
  Object.values(config).flatMap((mentions) => mentions.map(({ value }) => value).filter(Array.isArray))

const mentions = ({ config, renamed }: Source, field: Field): readonly Stated[] =>
  config[renamed[field] ?? field] ?? []

/** What the config says of a field for this layer; what the model type says where the config is silent. */
export function stated(source: Source, field: Field): Stated | undefined {
  const [first, ...others] = mentions(source, field).map((mention) => ofLayer(source, mention))
  for (const { name, value } of others) {
    const said = isObject(first.value) ? 'an object' : String(first.value).slice(0, 20)
    const rule = `${head}${name} must agree with ${first.name} = ${said}`
    demand(value === first.value, rule, value, 'They are names of one thing.')
  }
  if (first !== undefined) return first
  const constant = source.constants[field]
  return constant === undefined ? undefined : { name: field, value: constant }
}

function ofLayer({ layer, depth, blocks }: Source, { name, value }: Stated): Stated {
  if (!Array.isArray(value)) return { name, value }
  if (value.length === 1) return { name, value: value[0] }
  const rule = `${head}${name}.length must be the number of layers, ${depth}`
  demand(
    value.length === depth || value.length === depth + blocks,
    rule,
    value.length,
    'Give one value a layer.',
  )
  return { name, value: value[Math.min(layer, value.length - 1)] }
}

function otherwiseOr<T>(source: Source, field: Field, otherwise: T | undefined): T {
  if (otherwise !== undefined) return otherwise
  const names = aliases[source.renamed[field] ?? field]
  throw new InputError(`${head}the config must state ${names.join(' or ')}`, undefined, remedy)
}

/** A whole number of at least `least`. Throws where neither config nor model type state it, unless `otherwise` is given. */
export function size(source: Source, field: Field, otherwise?: number, least = 1): number {
  const found = stated(source, field)
  if (found === undefined) return otherwiseOr(source, field, otherwise)
  demandWhole(`${head}${found.name}`, found.value, least, largest, remedy)
  return found.value as number
}

/** The same, undefined where neither states it; configs also write 0 for what a model lacks. */
export const sizeIf = (source: Source, field: Field): number | undefined =>
  size(source, field, 0, 0) || undefined

export function flag(source: Source, field: Field, otherwise = false): boolean {
  const found = stated(source, field) ?? { name: field, value: otherwise }
  demand(typeof found.value === 'boolean', `${head}${found.name} must be true or false`, found.value, remedy)
  return found.value
}

/** For options that are either true or left out. */
export const flagIf = (source: Source, field: Field): true | undefined => flag(source, field) || undefined

export function word(source: Source, field: Field, otherwise?: string): string {
  const found = stated(source, field)
  if (found === undefined) return otherwiseOr(source, field, otherwise)
  demand(typeof found.value === 'string', `${head}${found.name} must be a string`, found.value, remedy)
  return found.value
}

export function factor(source: Source, field: Field, otherwise: number): number {
  const { name, value } = stated(source, field) ?? { name: field, value: otherwise }
  demand(Number.isFinite(value), `${head}${name} must be a finite number`, value, remedy)
  return value as number
}

/** The value as the config has it, a list whole. */
export const raw = (source: Source, field: Field): unknown => mentions(source, field)[0]?.value

/** How long a list or a string is; undefined where the config has none. */
export function lengthIf(source: Source, field: Field): number | undefined {
  const value = raw(source, field)
  return Array.isArray(value) || typeof value === 'string' ? value.length : undefined
}

/** The layers that a list or a string such as '4,5,6' names, counted from 0; undefined where neither states it. */
export function layerSet(source: Source, field: Field, countsFrom: 0 | 1): Set<number> | undefined {
  const [found] = mentions(source, field)
  const named = found?.value ?? source.constants[field]
  if (named === undefined) return undefined
  const name = `${head}${found?.name ?? field}`
  demand(Array.isArray(named) || typeof named === 'string', `${name} must list layers`, named, remedy)
  // Ten signs are more than a number of a layer and its comma take.
  const most = source.depth * (typeof named === 'string' ? 10 : 1)
  demandWhole(`${name}.length`, named.length, 0, most, 'A layer is named once.')
  const layers = typeof named === 'string' ? named.split(',').map(Number) : named
  for (const layer of layers) {
    demandWhole(`${name}: a layer`, layer, countsFrom, source.depth - 1 + countsFrom, remedy)
  }
  return new Set(layers.map((layer) => layer - countsFrom))
}

/** Refuses what would change the count in a way that no known checkpoint does. */
export function onlyWith(source: Source, field: Field, value: boolean): void {
  const name = stated(source, field)?.name ?? field
  const rule = `${head}${name} must be ${value} for this type of model`
  demand(flag(source, field, value) === value, rule, !value, 'Its parameters are not known otherwise.')
}

export function oneOf<T extends string>(source: Source, field: Field, known: readonly T[], otherwise: T): T {
  const value = word(source, field, otherwise) as T
  const name = stated(source, field)?.name ?? field
  demand(known.includes(value), `${head}${name} must be one of ${known.join(', ')}`, value, 'Choose one.')
  return value
}

/** Drops what is undefined, so that an option which a layer lacks is absent. */
export const given = <T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never
