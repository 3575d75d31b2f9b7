import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { createContext, runInContext } from 'node:vm'
import { gzipSync } from 'node:zlib'
import * as moesim from 'moesim'
import { build, type Rollup } from 'vite'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const names = Object.keys(moesim).sort()

interface Packed {
  size: number // bytes of the tarball
  files: { path: string }[]
}

test('the tarball holds the library, its sources and nothing else, in less than 750 kB', () => {
  // Without --ignore-scripts, npm would build anew and take dist away from the tests beside this one.
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts']
  const shell = process.platform === 'win32' // there, npm is a batch file
  const [packed] = JSON.parse(execFileSync('npm', args, { cwd: root, encoding: 'utf8', shell })) as [Packed]
  const paths = packed.files.map((file) => file.path)
  expect(paths).toContain('dist/index.js')
  expect(paths).toContain('dist/index.d.ts')
  const expected =
    /^(dist\/.*\.(js|d\.ts)(\.map)?|src\/.*\.ts|package\.json|README\.md|LICENSE|CHANGELOG\.md)$/
  expect(paths.filter((path) => !expected.test(path))).toEqual([])
  expect(packed.size).toBeLessThan(750_000)
})

/** A page's script: what `code` pulls in, everything unless given, built the way a web application is built. */
async function bundleForBrowser(
  code = "export * from 'moesim'",
  minify = false,
): Promise<Rollup.OutputChunk> {
  const entry = fileURLToPath(new URL('browser-entry.js', import.meta.url)) // inside the package, so it finds itself
  const outputs = (await build({
    root,
    configFile: false,
    logLevel: 'error',
    plugins: [
      {
        name: 'entry-from-memory',
        enforce: 'pre',
        resolveId(id) {
          // Left alone, vite would put an empty module in its place, and the page would fail at the first call.
          if (id.startsWith('node:')) throw new Error(`${id} is no module of the browser`)
          return id === entry ? entry : undefined
        },
        load: (id) => (id === entry ? code : undefined),
      },
    ],
    build: { write: false, minify, lib: { entry, formats: ['iife'], name: 'bundle' } },
  })) as Rollup.RollupOutput[]
  expect(outputs.map(({ output }) => output.length)).toEqual([1]) // one file: nothing is left to load later
  return outputs[0]!.output[0]
}

test('a browser bundle needs no tfjs, no charts and nothing of Node, and runs', async () => {
  const bundle = await bundleForBrowser()
  expect([...bundle.imports, ...bundle.dynamicImports]).toEqual([])
  const modules = bundle.moduleIds.join('\n')
  expect(modules).toMatch(/dist./)
  expect(modules).not.toMatch(
    /tensorflow|observablehq|hyparquet|commander|dist.(node|cli|tf|threads|plot|parquet)./,
  )

  // A bare context has the language and what is put in here, so a stray require, process or Buffer would throw.
  const page = createContext({ TextEncoder, TextDecoder, console })
  runInContext(`globalThis.self = globalThis\n${bundle.code}\nglobalThis.bundle = bundle`, page)
  expect(Object.keys(page.bundle as object).sort()).toEqual(names)
})

test.each([
  ["export { nemotron3Nano } from 'moesim'", /Nemotron 3 Nano/, /model_type|hidden_size/],
  [
    "import { mixtral8x7b } from 'moesim'\nexport const { config } = mixtral8x7b",
    /Mixtral-8x7B/,
    /Nemotron 3 Nano|Kimi-K3|qwen3/,
  ],
])('a page that uses one model carries no other: %s', async (code, its, others) => {
  const bundle = await bundleForBrowser(code)
  expect(bundle.code).toMatch(its)
  expect(bundle.code).not.toMatch(others)
})

test('a page that routes, simulates and counts one model loads less than 25 kB, kernels included', async () => {
  const names = 'route, simulate, countParameters, nemotron3Nano'
  const { code } = await bundleForBrowser(`export { ${names} } from 'moesim'`, true)
  expect(gzipSync(code, { level: 9 }).length).toBeLessThan(25_000)
})

test('import of moesim in Node loads no tfjs, no charts and none of the edges', () => {
  const tellEveryModule = `
    import { writeSync } from 'node:fs'
    export async function load(url, context, next) {
      writeSync(1, url + '\\n')
      return next(url, context)
    }`
  const code = `
    import { register } from 'node:module'
    register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(tellEveryModule)}`)})
    await import('moesim')`
  const args = ['--input-type=module', '-e', code]
  const loaded = execFileSync(process.execPath, args, { cwd: root, encoding: 'utf8' }).trim().split('\n')
  const strangers = loaded.filter(
    (url) => !/\/dist\/(?!(node|cli|tf|threads|plot|parquet)\/)|\/node_modules\/seedrandom\//.test(url),
  )
  expect(loaded).toContainEqual(expect.stringMatching(/\/dist\/index\.js$/))
  expect(strangers).toEqual([])
})
