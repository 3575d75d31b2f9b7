import { InputError } from '../errors.js'
import type { Safetensors } from '../formats/safetensors.js'

/** What a JSON value must be: a primitive, an array of one shape in brackets, or an object with at least these fields. */
export type Shape = 'number' | 'boolean' | 'string' | readonly [Shape] | { readonly [field: string]: Shape }

/** The values of a shape. */
export type Shaped<S> = S extends 'number'
  ? number
  : S extends 'boolean'
    ? boolean
    : S extends 'string'
      ? string
      : S extends readonly [infer Each]
        ? Shaped<Each>[]
        : { readonly [Field in keyof S]: Shaped<S[Field]> }

/** The JSON value of a file's metadata entry, checked. Throws an InputError, in the name of `reader`, if it is not so. */
export function metadataOf<const S extends Shape>(
  reader: string,
  file: Safetensors,
  key: string,
  shape: S,
): Shaped<S> {
  const text = file.metadata[key]
  const remedy = 'Use a file that a routing recorder wrote, or add the metadata to it.'
  const refuse = (rule: string, value: unknown): never => {
    throw new InputError(`${reader}: metadata '${key}' must ${rule}`, value, remedy)
  }
  let json: unknown
  try {
    json = JSON.parse(text ?? '')
  } catch {
    refuse('hold JSON', text)
  }
  check(json, shape, '', refuse)
  return json as Shaped<S>
}

function check(
  value: unknown,
  shape: Shape,
  path: string,
  refuse: (rule: string, value: unknown) => void,
): void {
  const kind = typeof shape === 'string' ? shape : Array.isArray(shape) ? 'Array' : 'Object'
  if (kindOf(value) !== kind) {
    const wanted = value === undefined ? '' : ` as ${kind}` // undefined is no JSON: the field is missing
    refuse(path === '' ? `be ${kind}` : `have ${path}${wanted}`, value)
  }
  const at = (field: string | number): string => (path === '' ? String(field) : `${path}.${field}`)
  if (kind === 'Array') {
    for (const [i, each] of (value as unknown[]).entries()) check(each, (shape as [Shape])[0], at(i), refuse)
  } else if (kind === 'Object') {
    for (const [field, own] of Object.entries(shape)) check((value as Fields)[field], own, at(field), refuse)
  }
}

type Fields = Readonly<Record<string, unknown>>

const kindOf = (value: unknown): string => {
  if (Array.isArray(value)) return 'Array'
  return typeof value === 'object' && value !== null ? 'Object' : typeof value
}
