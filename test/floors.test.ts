import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { brokenRules, type Sources } from './floors.js'

const src = new URL('../src/', import.meta.url)
const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).map((file) =>
  file.replaceAll('\\', '/'),
)
const sources: Sources = Object.fromEntries(
  files
    .filter((file) => file.endsWith('.ts') && !file.startsWith('kernels/assembly/')) // another language, which imports by its own rules
    .map((file) => [file, readFileSync(new URL(file, src), 'utf8')]),
)

test('src keeps every rule of the floors', () => {
  expect(Object.keys(sources).length).toBeGreaterThan(0)
  expect(brokenRules(sources)).toEqual([])
})

const above = { 'simulate/zz.ts': 'export const z = 1' }
test.each([
  ["import { z } from '../simulate/zz.js'"],
  ["import type { z } from '../simulate/zz.js'"],
  ["import '../simulate/zz.js'"],
  ["export { z } from '../simulate/zz.js'"],
  ["export type * from '../simulate/zz.js'"],
  ["export const load = () => import('../simulate/zz.js')"],
  ["export type Z = typeof import('../simulate/zz.js')"],
])('a floor that reaches up is refused: %s', (text) => {
  expect(brokenRules({ ...above, 'router/zz.ts': text })).toEqual([
    'router/zz.ts: imports ../simulate/zz.js; simulate stands above router',
  ])
})

test('a floor may reach down and into its own folder', () => {
  const down = "import { z } from '../router/zz.js'\nimport { y } from './yy.js'\nexport const x = z + y"
  const added = { 'router/zz.ts': 'export const z = 1', 'simulate/yy.ts': 'export const y = 1' }
  expect(brokenRules({ ...added, 'simulate/xx.ts': down })).toEqual([])
})

test('ground files stand in order', () => {
  expect(brokenRules({ 'errors.ts': "import './math.js'", 'math.ts': 'export {}' })).toContainEqual(
    'errors.ts: imports ./math.js; math stands above errors',
  )
})

test('only the edges may import the index, and the index no edge', () => {
  expect(brokenRules({ 'index.ts': 'export {}', 'cli/zz.ts': "import '../index.js'" })).toEqual([])
  expect(brokenRules({ 'index.ts': 'export {}', 'router/zz.ts': "import '../index.js'" })).toEqual([
    'router/zz.ts: imports the index, which stands above it',
  ])
  expect(brokenRules({ 'index.ts': "export * from './tf/zz.js'", 'tf/zz.ts': 'export {}' })).toEqual([
    'index.ts: imports ./tf/zz.js; edges have entries of their own',
  ])
})

test('a folder or a ground file that is not in the list is refused', () => {
  expect(brokenRules({ 'utils/zz.ts': 'export {}', 'helpers.ts': 'export {}' })).toEqual([
    "utils/zz.ts: stands on no floor; 'utils' is not in the list",
    "helpers.ts: stands on no floor; 'helpers' is not in the list",
  ])
})

test('an import of a file that does not exist is refused', () => {
  expect(brokenRules({ 'router/zz.ts': "import './gone.js'" })).toEqual([
    'router/zz.ts: imports ./gone.js, which is no file of src',
  ])
})

test('files that import each other in a ring are refused, types included', () => {
  const ring = { 'cost/a.ts': "import './b.js'", 'cost/b.ts': "import type {} from './c.js'" }
  expect(brokenRules({ ...ring, 'cost/c.ts': "export * from './a.js'" })).toEqual([
    'cost/a.ts: imports itself by way of cost/a.ts → cost/b.ts → cost/c.ts → cost/a.ts',
  ])
})

test('a file of more than 250 lines is refused, but for the index, a list of names', () => {
  expect(brokenRules({ 'index.ts': '//\n'.repeat(251) })).toEqual([])
  expect(brokenRules({ 'router/zz.ts': '//\n'.repeat(250) })).toEqual([])
  expect(brokenRules({ 'router/zz.ts': '//\n'.repeat(251) })).toEqual([
    'router/zz.ts: has 251 lines, more than 250',
  ])
})

test('node: modules and packages stay on the floors that may use them', () => {
  expect(brokenRules({ 'node/zz.ts': "import 'node:fs'", 'cli/zz.ts': "import 'commander'" })).toEqual([])
  expect(
    brokenRules({ 'formats/zz.ts': "import 'node:fs'\nimport 'commander'\nimport 'lodash/get'" }),
  ).toEqual([
    'formats/zz.ts: imports node:fs; only threads/, node/ and cli/ may',
    'formats/zz.ts: imports commander; only cli may',
    'formats/zz.ts: imports lodash/get, which no floor may use',
  ])
})

test.each([
  'Math.random()',
  'Date.now()',
  'new Date()',
  'performance.now()',
  'globalThis.performance.now()',
  'crypto.getRandomValues(new Uint8Array(1))',
])('%s is refused outside plot/, node/ and cli/', (call) => {
  const text = `export const z = ${call}`
  expect(brokenRules({ 'plot/zz.ts': text, 'node/zz.ts': text, 'cli/zz.ts': text })).toEqual([])
  expect(brokenRules({ 'workload/zz.ts': text })).toEqual([
    expect.stringMatching(/^workload\/zz\.ts: line 1 uses .* dice$/),
  ])
})

test.each([
  'Math.exp(1)',
  'Math.pow(2, 0.5)',
  'Math.log',
  "Math['tanh'](1)",
  'globalThis.Math.sin(1)',
  '((m) => m.cos(1))(Math)',
  '1 ** x',
  '(x **= 2)',
])('%s is refused outside plot/, tf/, node/ and cli/', (call) => {
  const text = `let x = 1\nexport const z = ${call}`
  expect(brokenRules({ 'tf/zz.ts': text, 'plot/zz.ts': text })).toEqual([])
  expect(brokenRules({ 'metrics/zz.ts': text })).toEqual([
    expect.stringMatching(/^metrics\/zz\.ts: line 2 uses .* round apart$/),
  ])
})

test('mathematics that IEEE 754 fixes, and members that share a name with a clock, are welcome', () => {
  const text = 'export const z = (r: { Date: number }) => Math.sqrt(Math.fround(r.Date)) * Math.PI + 2 ** 32'
  expect(brokenRules({ 'metrics/zz.ts': text })).toEqual([])
})
