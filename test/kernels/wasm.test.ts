import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { modules, wasmSource } from '../../assembly.config.js'

test.each(modules)('the committed kernels of %s are what their sources build, to the byte', async (name) => {
  const committed = readFileSync(new URL(`../../src/kernels/${name}-wasm.ts`, import.meta.url), 'utf8')
  expect(committed).toBe(await wasmSource(name))
})
