import { demand, InputError } from '../errors.js'

/** A simulation between two steps, as plain JSON: resumed from it, it gives the bytes it would have given anyway. */
export interface Snapshot {
  readonly version: 1
  /** The next step to simulate. */
  readonly step: number
  readonly numExperts: number
  /** [L] states of the balance rule, before any load not yet made into an update. */
  readonly balances: readonly Json[]
}

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

const arrays = {
  Int8Array,
  Uint8Array,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
}
type ArrayName = keyof typeof arrays

/**
 * A plain value as JSON, exactly: typed arrays keep their type, and the numbers that JSON lacks their names.
 * Throws an InputError on functions, class instances and whatever else cannot come back.
 */
export function encode(value: unknown): Json {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value
  if (typeof value === 'number') {
    if (Object.is(value, -0)) return { $number: '-0' }
    return Number.isFinite(value) ? value : { $number: String(value) }
  }
  if (Array.isArray(value)) return value.map(encode)
  if (ArrayBuffer.isView(value) && value.constructor.name in arrays) {
    return { $array: value.constructor.name, values: Array.from(value as Float64Array, encode) }
  }
  if (typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, encode(entry)]))
  }
  throw new InputError(
    'snapshot: a balance state must be made of plain values',
    value,
    'Keep numbers and arrays.',
  )
}

/** The value that `encode` was given. Throws an InputError on a typed array or number it does not know. */
export function decode(json: Json): unknown {
  if (json === null || typeof json !== 'object') return json
  if (Array.isArray(json)) return json.map(decode)
  const record = json as { readonly [key: string]: Json }
  if ('$number' in record) return Number(record.$number)
  if ('$array' in record) {
    const known = Object.hasOwn(arrays, String(record.$array)) && Array.isArray(record.values)
    demand(known, 'snapshot: $array must name a typed array', record.$array, 'Take the snapshot again.')
    return arrays[record.$array as ArrayName].from(
      (record.values as readonly Json[]).map((entry) => Number(decode(entry))),
    )
  }
  return Object.fromEntries(Object.entries(record).map(([key, entry]) => [key, decode(entry)]))
}

/** Refuses what is not a snapshot of a simulation with so many layers and experts. */
export function checkSnapshot(snapshot: Snapshot, layers: number, numExperts: number): void {
  const given = snapshot as Partial<Snapshot> | null
  const whole = given?.version === 1 && Number.isSafeInteger(given.step) && Array.isArray(given.balances)
  demand(
    whole && given.step! >= 0,
    'simulate: from must be a snapshot',
    snapshot,
    'Use what report.snapshot() gave.',
  )
  demand(
    snapshot.balances.length === layers && snapshot.numExperts === numExperts,
    `simulate: from must be a snapshot of ${layers} layers and ${numExperts} experts`,
    `${snapshot.balances.length} layers and ${snapshot.numExperts} experts`,
    'Resume with the setup that made it.',
  )
}
