import { parsePythonJson, setConfigFields } from '../index.js'
import { demandUsage } from './given.js'
import { configBehind, type NamedModel } from './models.js'

/** 'num_experts_per_tok=8' as a field and its value: JSON, or a text as it stands. */
export function fieldsOf(changes: readonly string[]): Record<string, unknown> {
  const entries = changes.map((change): [string, unknown] => {
    const at = change.indexOf('=')
    demandUsage(
      at > 0,
      '--set must be a field, = and a value',
      change,
      'Such as --set num_experts_per_tok=8.',
    )
    return [change.slice(0, at), parsed(change.slice(at + 1))]
  })
  return Object.fromEntries(entries)
}

function parsed(text: string): unknown {
  try {
    return parsePythonJson(text)
  } catch {
    return text
  }
}

/** The model with these fields of its config set. */
export function changed(model: NamedModel, fields: Record<string, unknown>): NamedModel {
  const config = setConfigFields(configBehind(model), fields)
  return { ...model, config, model: model.read(config) }
}
