import { readFileSync } from 'node:fs'
import { expect, test, vi } from 'vitest'
import { constantsAt, names, wasmSource } from '../../assembly.config.js'
import { firstArea } from '../../src/kernels/instance.js'

const committed = (name: keyof typeof constantsAt): string =>
  readFileSync(new URL(`../../src/kernels/${name}-wasm.ts`, import.meta.url), 'utf8')

test.each(names)('the committed kernels of %s are what their sources build, to the byte', async (name) => {
  expect(committed(name)).toBe(await wasmSource(name))
})

test('the constants of two modules in one memory, and its areas, do not overlap', () => {
  const placesOf = (name: keyof typeof constantsAt): number[] => {
    const [, hex] = committed(name).match(/'([0-9a-f]+)'/)!
    const module = new WebAssembly.Module(Buffer.from(hex!, 'hex'))
    const [zeros, ones] = [0, 255].map((value) => {
      const memory = new WebAssembly.Memory({ initial: 1 })
      const bytes = new Uint8Array(memory.buffer).fill(value)
      new WebAssembly.Instance(module, { env: { memory } })
      return bytes
    })
    return [...zeros!.keys()].filter((i) => zeros![i] === ones![i]) // those that it has written
  }
  const [routing, matrix] = [placesOf('routing'), placesOf('matrix')]
  expect(routing[0]).toBe(constantsAt.routing)
  expect(matrix[0]).toBe(constantsAt.matrix)
  expect(routing.at(-1)).toBeLessThan(constantsAt.matrix)
  expect(matrix.at(-1)).toBeLessThan(firstArea)
})

test('where compiling is forbidden, it is tried once, and the twins do the work', async () => {
  let tries = 0
  class Module {
    constructor() {
      tries++
      throw new Error('forbidden')
    }
  }
  const fresh = (await import(`${import.meta.resolve('moesim')}?forbidden`)) as typeof import('moesim')
  const router = { numExperts: 2, topK: 1, scoreFunction: 'sigmoid', normalize: true, scale: 1 } as const
  vi.stubGlobal('WebAssembly', { Module })
  try {
    for (let i = 0; i < 3; i++) {
      expect([...fresh.route(Float32Array.of(0, 1, 1, 0), router).experts]).toEqual([1, 0])
    }
  } finally {
    vi.unstubAllGlobals()
  }
  expect(tries).toBe(1)
})
