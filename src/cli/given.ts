import { InputError } from '../index.js'

/**
 * Options as they were typed, by their camel-case names; what was not typed is absent. They are read in one place,
 * whether they come from a command line or from a snapshot.
 */
export type Given = Readonly<Record<string, string | boolean>>

/** A command line that cannot be understood, whatever the files hold that it names. */
export class UsageError extends InputError {}

/** Refuses a command line unless `holds`. */
export function demandUsage(holds: boolean, rule: string, value: unknown, remedy: string): asserts holds {
  if (!holds) throw new UsageError(rule, value, remedy)
}

/** '--top-k' for topK. */
export const flag = (name: string): string =>
  `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`

/** A whole number of an option; `fallback` where it is absent. */
export function whole(given: Given, name: string, fallback: number, most: number, remedy: string): number {
  const value = numberOf(given, name, fallback)
  const holds = Number.isSafeInteger(value) && value >= 1 && value <= most
  demandUsage(holds, `${flag(name)} must be a whole number from 1 to ${most}`, given[name], remedy)
  return value
}

/** A finite number of an option. */
export function real(given: Given, name: string, fallback: number, remedy: string): number {
  const value = numberOf(given, name, fallback)
  demandUsage(Number.isFinite(value), `${flag(name)} must be a finite number`, given[name], remedy)
  return value
}

/** One of a few words. */
export function oneOf<T extends string>(given: Given, name: string, fallback: T, choices: readonly T[]): T {
  const value = (given[name] ?? fallback) as T
  demandUsage(
    choices.includes(value),
    `${flag(name)} must be one of ${choices.join(', ')}`,
    value,
    'Choose one of them.',
  )
  return value
}

function numberOf(given: Given, name: string, fallback: number): number {
  const text = given[name]
  if (text === undefined) return fallback
  return typeof text === 'string' && text.trim() !== '' ? Number(text) : Number.NaN
}
