import { didYouMean, InputError, type ModelConfig, presets } from '../index.js'

export const defaultPreset = 'nemotron-3-nano-30b-a3b'

/** The model of that name. Throws an InputError that lists the known ones. */
export function presetOf(name: string): ModelConfig {
  const known = Object.keys(presets)
  if (Object.hasOwn(presets, name)) return presets[name]
  throw new InputError(
    'preset: it must be a known one',
    name,
    `${didYouMean(name, known)}Known: ${known.join(', ')}.`,
  )
}
