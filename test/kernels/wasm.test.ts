import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { wasmSource } from '../../assembly.config.js'

test('the committed kernels are what their sources build, to the byte', async () => {
  const committed = readFileSync(new URL('../../src/kernels/wasm.ts', import.meta.url), 'utf8')
  expect(committed).toBe(await wasmSource())
})
