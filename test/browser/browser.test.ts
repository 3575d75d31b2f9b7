import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { layerCase, layerCases } from '../layer/cases.js'
import { expectRecorded, questionOf } from '../tf/matches.js'
import { missing, type Pages, pages } from './chromium.js'
import { core } from './core.js'
import type { Asked } from './layers.js'
import type { Found } from './threads.js'

// In CI a browser that is missing is a failure, and no excuse.
const skipped = missing !== undefined && !process.env.CI
if (skipped) console.warn(`Tests in a browser are skipped: ${missing}`)

type Opened = Awaited<ReturnType<Pages['open']>>

/** Asks the page of the layers. */
function ask<Name extends keyof Asked>(
  { page }: Opened,
  name: Name,
  ...rest: Parameters<Asked[Name]>
): Promise<Awaited<ReturnType<Asked[Name]>>> {
  const call = ([name, rest]: [Name, Parameters<Asked[Name]>]) =>
    (globalThis as unknown as Record<Name, (...given: typeof rest) => never>)[name](...rest)
  return page.evaluate(call as never, [name, rest] as never)
}

describe.skipIf(skipped)('in Chromium', { timeout: 120_000 }, () => {
  let chromium: Pages
  beforeAll(async () => {
    if (missing) throw new Error(missing)
    chromium = await pages()
  }, 120_000)
  afterAll(() => chromium?.close())

  // One program for all shapes instead of one for each: SwiftShader takes a tenth of a second to compile one.
  const flags = { WEBGL_USE_SHAPES_UNIFORMS: true }
  describe.each([
    ['wasm', {}],
    ['webgl', flags],
  ])('on the %s backend', (backend, flags) => {
    let opened: Opened
    beforeAll(async () => {
      opened = await chromium.open('layers', 'answerOn')
    }, 120_000)
    afterAll(() => opened?.page.close())

    test.each(layerCases)('%s: forward and backward are the recorded ones, and of the core', async (name) => {
      const file = layerCase(name)
      const answers = await ask(opened, 'answerOn', backend, questionOf(file), flags)
      expectRecorded(file, answers)
    })

    test('and nothing is said on the console', () => {
      expect(opened.said).toEqual([])
    })
  })

  // One of them: SwiftShader takes seconds for each, most of them to read tensors at once.
  test('on the webgpu backend forward and backward are the recorded ones too', async () => {
    const opened = await chromium.open('layers', 'answerOn', { webgpu: true })
    const file = layerCase('layer-gpt-oss')
    expectRecorded(file, await ask(opened, 'answerOn', 'webgpu', questionOf(file), {}))
    // What tfjs says of the first read, and nothing else.
    expect(opened.said).toEqual([expect.stringMatching(/performance of synchronously reading/)])
    await opened.page.close()
  })

  test('where WebGL renders 16-bit floats it warns, once, and says what to do; elsewhere it does not', async () => {
    const file = layerCase('layer-llama4')
    const route = async (flags: Record<string, boolean>) => {
      const opened = await chromium.open('layers', 'routeOn')
      const found = await ask(opened, 'routeOn', 'webgl', questionOf(file), flags)
      await opened.page.close()
      return { ...found, said: opened.said }
    }
    const whole = await route({})
    expect(whole.said).toEqual([])
    file.matches('routerLogits', whole.logits)
    file.matches('indices', whole.experts)
    const half = await route({ WEBGL_FORCE_F16_TEXTURES: true })
    expect(half.said).toEqual([
      expect.stringMatching(
        /^warning: moesim\/tf: WebGL renders 16-bit floats only.*tf\.setBackend\("wasm"\)/,
      ),
    ])
    expect(() => file.matches('routerLogits', half.logits)).toThrow() // there is something to warn of
  })

  test.each([true, false])(
    'threads of a page route, and compute a layer, as one does; memory shared: %j',
    async (isolated) => {
      const { page, said } = await chromium.open('threads', 'routeTwice', { isolated })
      const found = (await page.evaluate('routeTwice()')) as Found
      const refused =
        'InputError: route: the logit of token 12300 for expert 0 must be a number below +∞, got NaN. Use −∞ for a mask; else look for an overflow or a 0/0 upstream.'
      const same = { sameExperts: true, sameWeights: true, sameOutput: true }
      const answered = { routed: [1, 1], computed: [3, 3] } // the layer is laid out, computed and let go
      expect(found).toEqual({ isolated, workers: 3, ...answered, ...same, refused })
      expect(said).toEqual([])
      await page.close()
    },
  )

  test('the page of the README shows what stands under it', async () => {
    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
    const [, html, output] = readme.match(/```html\n([\s\S]+?)```\n\n```text\n([\s\S]*?)```/)!
    const page = await chromium.openText(html)
    await page.waitForFunction(([text]) => document.querySelector('pre')?.textContent === text, [output])
    await page.close()
  })

  test('a page that may not compile WebAssembly runs the core as Node does, to the last bit', async () => {
    const { page, said } = await chromium.open('strict', 'found')
    expect(await page.evaluate('found')).toEqual({ mayCompile: false, core: core() })
    // What the browser says of the attempt to compile, and nothing else.
    expect(said.filter((line) => !/WebAssembly/.test(line))).toEqual([])
    await page.close()
  })
})
