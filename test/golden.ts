import { readFileSync } from 'node:fs'
import { float32Of, int32Of, readSafetensors, type Safetensors, type Tensor, tensor } from 'moesim'
import { expect } from 'vitest'

/** A tensor of a golden file: inside the JSON, or by name in the sidecar. */
type Stored = { dtype: 'float32' | 'int32'; shape: number[] } & ({ data: number[] } | { tensor: string })
type Tolerance = 'exact' | { abs?: number; rel?: number }

export interface Golden {
  params: Record<string, unknown> & { numExperts: number; topK: number }
  inputs: Record<string, Stored>
  expected: Record<string, Stored>
  tolerance: Record<string, Tolerance>
  floats(stored: Stored): Float32Array
  ints(stored: Stored): Int32Array
  /** Compares with the recorded field, at the tolerance that the file states for it. */
  matches(field: string, actual: ArrayLike<number>): void
}

const folder = new URL('./fixtures/golden/', import.meta.url)

/** A case computed by running a reference implementation; test/fixtures/golden/README.md tells which. */
export function golden(name: string): Golden {
  const json = JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8'))
  let sidecar: Safetensors | undefined
  const stored = <A>(value: Stored, ofData: (data: number[]) => A, ofTensor: (tensor: Tensor) => A): A => {
    if ('data' in value) return ofData(value.data)
    sidecar ??= readSafetensors(readFileSync(new URL(json.tensorFile, folder)))
    return ofTensor(tensor(sidecar, value.tensor))
  }
  const floats = (value: Stored): Float32Array => stored(value, (data) => Float32Array.from(data), float32Of)
  const ints = (value: Stored): Int32Array => stored(value, (data) => Int32Array.from(data), int32Of)
  return {
    ...json,
    floats,
    ints,
    matches(field, actual) {
      const value = json.expected[field] as Stored
      const wanted = value.dtype === 'int32' ? ints(value) : floats(value)
      expectClose(actual, wanted, json.tolerance[field] ?? json.tolerance.default, `${name}: ${field}`)
    },
  }
}

/** |a − b| ≤ abs + rel · |b| for every element, or equality. */
export function expectClose(
  actual: ArrayLike<number>,
  wanted: ArrayLike<number>,
  tolerance: Tolerance,
  what: string,
): void {
  expect(actual.length, `${what}: length`).toBe(wanted.length)
  const { abs = 0, rel = 0 } = tolerance === 'exact' ? {} : tolerance
  for (let i = 0; i < wanted.length; i++) {
    const holds = Math.abs(actual[i] - wanted[i]) <= abs + rel * Math.abs(wanted[i])
    if (!holds)
      expect.fail(`${what}[${i}] is ${actual[i]}, wanted ${wanted[i]} within ${abs} + ${rel} relative`)
  }
}
