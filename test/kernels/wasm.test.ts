import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { constantsAt, wasmSource } from '../../assembly.config.js'

const modules = ['routing', 'matrix'] as const

const committed = (name: (typeof modules)[number]): string =>
  readFileSync(new URL(`../../src/kernels/${name}-wasm.ts`, import.meta.url), 'utf8')

test.each(modules)('the committed kernels of %s are what their sources build, to the byte', async (name) => {
  expect(committed(name)).toBe(await wasmSource(name))
})

test('the constants of two modules in one memory, and its areas, do not overlap', () => {
  const endOf = (name: (typeof modules)[number]): number => {
    const [, hex] = committed(name).match(/'([0-9a-f]+)'/)!
    const memory = new WebAssembly.Memory({ initial: 1 })
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(hex!, 'hex')), {
      env: { memory },
    })
    return (exports.heapBase as WebAssembly.Global).value as number
  }
  expect(endOf('routing')).toBeLessThanOrEqual(constantsAt.matrix)
  expect(endOf('matrix')).toBeLessThanOrEqual(8192) // where ../../src/kernels/instance.ts lets areas start
})
