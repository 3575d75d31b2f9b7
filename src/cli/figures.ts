import { countParameters, type ParameterCount, type PublishedModel, publishedModels } from '../index.js'
import type { NamedModel } from './models.js'
import { type Resources, resourcesOf } from './resources.js'
import { grouped, table } from './table.js'

/** A model, its count, and what it takes up and does. */
export interface Counted extends ParameterCount, Resources {
  readonly label: string
  readonly name: string
  /** What its makers publish, where it is a preset that comes with it. */
  readonly published?: PublishedModel
}

export function counted({ label, model }: NamedModel, contextTokens: number): Counted {
  const published = Object.hasOwn(publishedModels, label) ? { published: publishedModels[label] } : {}
  return {
    label,
    name: model.name,
    ...published,
    ...countParameters(model),
    ...resourcesOf(model, contextTokens),
  }
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
export function figuresByPath({ label, name, published, ...figures }: Counted): Map<string, number> {
  return new Map(leaves('', figures))
}

const leaves = (path: string, value: object | number): [string, number][] =>
  typeof value === 'number'
    ? [[path, value]]
    : Object.entries(value).flatMap(([key, inner]) => leaves(path === '' ? key : `${path}.${key}`, inner))

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
