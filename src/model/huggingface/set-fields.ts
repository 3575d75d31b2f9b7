import { demand, InputError } from '../../errors.js'
import { didYouMean } from '../../suggest.js'
import { isObject } from '../demands.js'
import { aliases } from './aliases.js'
import { at } from './fields.js'
import { textKey } from './read.js'

/**
 * A copy of a `config.json` with some of its fields set, such as `{ num_experts_per_tok: 8 }`, to see what a change comes
 * to. A dot reaches inside an object. What the config states under another of its names (`moe_topk`) is set there; of a
 * config of text and images, that of its text.
 *
 * Throws an InputError on a field that the config has not and `fromHuggingFaceConfig` does not read.
 */
export function setConfigFields(config: object, fields: Readonly<Record<string, unknown>>): object {
  demand(isObject(config), 'setConfigFields: the config must be an object', config, 'Parse its text first.')
  const inner = textKey(config)
  const text = inner === undefined ? config : ((config as Json)[inner] as object)
  const changed = Object.entries(fields).reduce(
    (before, [name, value]) => withValue(before, statedName(before, name).split('.'), value),
    text,
  )
  return inner === undefined ? changed : { ...config, [inner]: changed }
}

type Json = Record<string, unknown>

const synonyms: readonly (readonly string[])[] = /* @__PURE__ */ Object.values(aliases)

function statedName(config: object, name: string): string {
  const states = (each: string): boolean => at(config, each) != null
  if (states(name)) return name
  const lines = synonyms.filter((names) => names.includes(name))
  const other = lines.flat().find(states)
  if (other !== undefined) return other
  if (lines.length > 0 || at(config, name) === null) return name
  const remedy = `${didYouMean(name.slice(0, 64), [...new Set([...Object.keys(config), ...synonyms.flat()])])}Name one that it states.`
  throw new InputError('setConfigFields: a field must be one of the config', name.slice(0, 80), remedy)
}

function withValue(config: object, [name, ...inside]: readonly string[], value: unknown): object {
  if (inside.length === 0) return { ...config, [name]: value }
  const own = Object.hasOwn(config, name) ? (config as Json)[name] : undefined
  return { ...config, [name]: withValue(isObject(own) ? own : {}, inside, value) }
}
