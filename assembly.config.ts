// Builds the SIMD kernels, AssemblyScript in src/kernels/assembly, into src/kernels/wasm.ts, which is committed, so that
// installing needs no compiler. A test builds them again and compares.
import { readFileSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import asc from 'assemblyscript/asc'

const root = new URL('.', import.meta.url)

/** The text of src/kernels/wasm.ts. The module starts on an empty memory: no runtime, no garbage collector. */
export async function wasmSource(): Promise<string> {
  const built = new Map<string, Uint8Array | string>()
  const flags = '-O3 --converge --runtime stub --enable simd --noAssert --outFile kernels.wasm'.split(' ')
  const { error, stderr } = await asc.main(['src/kernels/assembly/index.ts', ...flags], {
    readFile: (name) => {
      try {
        return readFileSync(new URL(name, root), 'utf8')
      } catch {
        return null
      }
    },
    writeFile: (name, content) => void built.set(name, content),
  })
  if (error) throw new Error(`asc: ${stderr}`, { cause: error })
  const base64 = Buffer.from(built.get('kernels.wasm') as Uint8Array).toString('base64')
  return `// Written by \`npm run kernels\` from ./assembly: do not edit.\nexport const wasm: string =\n  '${base64}'\n`
}

if (import.meta.url === pathToFileURL(process.argv[1]!).href) {
  writeFileSync(new URL('src/kernels/wasm.ts', root), await wasmSource())
}
