import { demand, demandWhole } from '../errors.js'

/** What checks of a model have in common; `at` is the path to the value, such as 'layers.E[0].router'. */

export const widest: number = 1 << 20 // of any width, and as many experts as a router takes

export const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

export function demandObject(at: string, value: unknown, remedy: string): void {
  demand(isObject(value), `model: ${at} must be an object`, value, remedy)
}

export function demandList(
  at: string,
  value: unknown,
  least: number,
  most: number,
  remedy: string,
): asserts value is unknown[] {
  demand(Array.isArray(value), `model: ${at} must be an array`, value, remedy)
  demandWhole(`model: the length of ${at}`, value.length, least, most, remedy)
}

export function demandSizes(at: string, sizes: Record<string, number>, least = 1): void {
  for (const [name, size] of Object.entries(sizes)) {
    demandWhole(`model: ${at}.${name}`, size, least, widest, 'Take it from the config of the checkpoint.')
  }
}

export function demandMultiple(
  at: string,
  value: number,
  unitName: string,
  unit: number,
  remedy: string,
): void {
  demand(value % unit === 0, `model: ${at} must be a multiple of ${unitName} = ${unit}`, value, remedy)
}

export function demandTruth(at: string, value: unknown, remedy: string): void {
  demand(typeof value === 'boolean', `model: ${at} must be true or false`, value, remedy)
}

export function demandOneOf(at: string, value: unknown, choices: readonly unknown[]): void {
  const remedy = 'Choose one of these.'
  demand(choices.includes(value), `model: ${at} must be one of ${choices.join(', ')}`, value, remedy)
}

/** `rest` is what remains of an object once the fields that its kind has are taken out: an optional one misspelt. */
export function demandNothingElse(at: string, rest: object): void {
  const [stray] = Object.keys(rest)
  demand(
    stray === undefined,
    `model: ${at} must have only the fields of its kind`,
    stray,
    'Correct or remove it.',
  )
}
