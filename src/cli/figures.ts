import { countParameters, type ParameterCount, type PublishedModel, publishedModels } from '../index.js'
import type { NamedModel } from './models.js'
import { grouped, table } from './table.js'

/** A model and its count. */
export interface Counted extends ParameterCount {
  readonly label: string
  readonly name: string
  /** What its makers publish, where it is a preset that comes with it. */
  readonly published?: PublishedModel
}

export function counted({ label, model }: NamedModel): Counted {
  const published = Object.hasOwn(publishedModels, label) ? { published: publishedModels[label] } : {}
  return { label, name: model.name, ...published, ...countParameters(model) }
}

/** The three conventions, in words. */
export const conventions: readonly (readonly [words: string, key: keyof ParameterCount['active']])[] = [
  ['backbone', 'backbone'],
  ['with head', 'withHead'],
  ['with head and embedding', 'withEmbedding'],
]

/** 'routed experts' for routedExperts. */
export const words = (part: string): string => part.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)

/** The parts that any of the models has, in the order of the first that has each. */
export const partsOf = (models: readonly ParameterCount[]): string[] => [
  ...new Set(models.flatMap(({ parts }) => Object.keys(parts))),
]

/** Every figure under the path that it has in the JSON, such as 'parts.mamba.total'. */
export function figuresByPath({ total, active, mtp, parts }: ParameterCount): Map<string, number> {
  const byPart = Object.entries(parts).flatMap(([part, count]): [string, number][] => [
    [`parts.${part}.total`, count.total],
    [`parts.${part}.active`, count.active],
  ])
  const byConvention = conventions.map(([, key]): [string, number] => [`active.${key}`, active[key]])
  return new Map([['total', total], ...byConvention, ['mtp', mtp], ...byPart])
}

/** A table with a column for each model; `of` gives a cell, undefined for what a model lacks. */
export function columns(
  title: string,
  models: readonly Counted[],
  rows: readonly (readonly [name: string, of: (model: Counted) => number | string | undefined])[],
): string {
  const shown = (value: number | string | undefined): string =>
    typeof value === 'number' ? grouped(value) : (value ?? '')
  const lines = rows.map(([name, of]) => [name, ...models.map((model) => shown(of(model)))])
  return table([title, ...models.map(({ label }) => label)], lines)
}
