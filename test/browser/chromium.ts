import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'
import { build, preview } from 'vite'

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'

/** Why there can be no test in a browser, if so. */
export const missing = existsSync(executablePath)
  ? undefined
  : `there is no Chromium at ${executablePath}: apt-get install chromium, or name another in the variable CHROMIUM`

const root = fileURLToPath(new URL('.', import.meta.url))
// No GPU is needed: SwiftShader draws on the processor.
const args =
  '--no-sandbox --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync --use-gl=angle --use-angle=swiftshader --enable-unsafe-swiftshader'
// Without Vulkan, canvases of webgpu, by which tfjs reads tensors at once, give zeros. With it, WebGL is chatty.
const webgpuArgs =
  '--enable-unsafe-webgpu --use-webgpu-adapter=swiftshader --enable-features=Vulkan --use-vulkan=swiftshader'

interface Setting {
  /** Such pages share memory with their workers. */
  readonly isolated?: boolean
  readonly webgpu?: boolean
}

export interface Pages {
  /** A page of this text, in a folder where the package is installed. */
  openText(html: string): Promise<Page>
  /** A fresh page of this folder, once `ready` is there, and everything that it has said on the console. */
  open(name: string, ready: string, setting?: Setting): Promise<{ page: Page; said: string[] }>
  close(): Promise<void>
}

/** The pages of this folder, built as a web application is, served on this machine, in a browser. */
export async function pages(): Promise<Pages> {
  const outDir = mkdtempSync(join(tmpdir(), 'moesim-pages-'))
  const isolation = {
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Embedder-Policy': 'require-corp',
  }
  const common = { root, base: './', configFile: false, logLevel: 'error' } as const
  const input = ['layers', 'strict', 'threads'].map((name) => join(root, `${name}.html`))
  await build({
    ...common,
    build: {
      outDir,
      emptyOutDir: true,
      target: 'es2022',
      minify: false,
      modulePreload: false,
      chunkSizeWarningLimit: Number.POSITIVE_INFINITY,
      rolldownOptions: { input },
    },
  })
  const serve = (headers: Record<string, string>) =>
    preview({ ...common, build: { outDir }, preview: { host: '127.0.0.1', port: 0, headers } })
  const servers = [await serve({}), await serve(isolation)] as const
  const browsers = new Map<string, Promise<Browser>>()
  const browserWith = (more: string): Promise<Browser> => {
    const launched =
      browsers.get(more) ?? chromium.launch({ executablePath, args: `${args} ${more}`.trim().split(' ') })
    browsers.set(more, launched)
    return launched
  }
  return {
    async openText(html) {
      const page = await (await browserWith('')).newPage()
      page.setDefaultTimeout(100_000)
      await page.route('http://page.test/**', (route) => {
        const { pathname } = new URL(route.request().url())
        const inPackage = pathname.replace('/node_modules/moesim/', '../../')
        return pathname === '/'
          ? route.fulfill({ contentType: 'text/html', body: html })
          : route.fulfill({ path: join(root, inPackage) })
      })
      await page.goto('http://page.test/')
      return page
    },
    async open(name, ready, { isolated = false, webgpu = false } = {}) {
      const browser = await browserWith(webgpu ? webgpuArgs : '')
      const page = await browser.newPage()
      page.setDefaultTimeout(100_000) // a busy machine is no failure
      const said: string[] = []
      page.on('console', (message) => said.push(`${message.type()}: ${message.text()}`))
      page.on('pageerror', (error) => said.push(String(error)))
      await page.goto(`${servers[isolated ? 1 : 0].resolvedUrls!.local[0]}${name}.html`)
      await page.waitForFunction(`globalThis.${ready}`)
      return { page, said }
    },
    async close() {
      for (const browser of browsers.values()) await (await browser).close()
      for (const server of servers) await server.close()
      rmSync(outDir, { recursive: true })
    },
  }
}
