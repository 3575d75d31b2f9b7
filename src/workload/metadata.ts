import * as v from 'valibot'
import { InputError } from '../errors.js'
import type { Safetensors } from '../formats/safetensors.js'

/** The JSON value of a file's metadata entry, checked. Throws an InputError, in the name of `reader`, if it is not so. */
export function metadataOf<S extends v.GenericSchema>(
  reader: string,
  file: Safetensors,
  key: string,
  schema: S,
): v.InferOutput<S> {
  const text = file.metadata[key]
  const remedy = 'Use a file that a routing recorder wrote, or add the metadata to it.'
  let json: unknown
  try {
    json = JSON.parse(text ?? '')
  } catch {
    throw new InputError(`${reader}: metadata '${key}' must hold JSON`, text, remedy)
  }
  const result = v.safeParse(schema, json)
  if (result.success) return result.output
  const [issue] = result.issues
  const path = v.getDotPath(issue)
  const missing = issue.input === undefined // which no JSON is
  const wanted = missing ? '' : ` as ${issue.expected}`
  const rule = path === null ? `be ${issue.expected}` : `have ${path}${wanted}`
  throw new InputError(`${reader}: metadata '${key}' must ${rule}`, issue.input, remedy)
}
