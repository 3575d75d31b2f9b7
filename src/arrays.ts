import { demand } from './errors.js'

/** One typed array after another, in a new one of the first one's type. Throws an InputError where there is none. */
export function concatenate<A extends Int32Array | Float32Array>(parts: readonly A[]): A {
  demand(
    parts.length > 0,
    'concatenate: there must be at least one array',
    0,
    'Its type is that of the first.',
  )
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  const whole = new (parts[0].constructor as new (length: number) => A)(length)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** Adds `more` to `sum`, element by element, in place. Throws an InputError on a count that 32 bits cannot hold. */
export function addTo(sum: Int32Array, more: Int32Array): void {
  for (let i = 0; i < sum.length; i++) {
    const count = sum[i] + more[i]
    demand(count < 2 ** 31, 'a summed load must stay below 2^31', count, 'Sum fewer batches.')
    sum[i] = count
  }
}

/** 0 − x for each value, so that 0 stays 0. */
export const negative = (values: Float32Array): Float32Array => values.map((value) => 0 - value)

/** The place of the first value that is not finite, or how many there are. A read behind the end would box every value. */
export function firstNotFinite(values: Float32Array): number {
  let place = 0
  while (place < values.length && Number.isFinite(values[place])) place++
  return place
}
