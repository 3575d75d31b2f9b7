import { isObject } from './demands.js'

/** Freezes a value all the way down. */
export function frozen<T extends object>(value: T): T {
  for (const part of Object.values(value)) if (isObject(part)) frozen(part)
  return Object.freeze(value)
}
