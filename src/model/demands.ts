import { demand, demandWhole } from '../errors.js'

/** What checks of plain data have in common; `name` is how errors are headed, such as 'model: layers.E[0].router'. */

export const widest: number = 1 << 20 // of any width, and as many experts as a router takes
export const deepest: number = 4096 // layers; the deepest published stack has about a hundred
export const mostSublayers: number = 16
export const mostMtpBlocks: number = 16

export const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

export function demandObject(name: string, value: unknown, remedy: string): void {
  demand(isObject(value), `${name} must be an object`, value, remedy)
}

export function demandList(
  name: string,
  value: unknown,
  least: number,
  most: number,
  remedy: string,
): asserts value is unknown[] {
  demand(Array.isArray(value), `${name} must be an array`, value, remedy)
  demandWhole(`${name}.length`, value.length, least, most, remedy)
}

export function demandSizes(name: string, sizes: Record<string, number>, least = 1): void {
  for (const [field, size] of Object.entries(sizes)) {
    demandWhole(`${name}.${field}`, size, least, widest, 'Take it from the config of the checkpoint.')
  }
}

export function demandMultiple(
  name: string,
  value: number,
  unitName: string,
  unit: number,
  remedy = `Each of the ${unitName} has equally many.`,
): void {
  demand(value % unit === 0, `${name} must be a multiple of ${unitName} = ${unit}`, value, remedy)
}

export function demandTruth(name: string, value: unknown, remedy: string): void {
  demand(typeof value === 'boolean', `${name} must be true or false`, value, remedy)
}

export function demandOneOf(name: string, value: unknown, choices: readonly unknown[]): void {
  const remedy = 'Choose one of these.'
  const names = choices.map((choice) => choice ?? 'left out')
  demand(choices.includes(value), `${name} must be one of ${names.join(', ')}`, value, remedy)
}
