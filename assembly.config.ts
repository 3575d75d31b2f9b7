// Builds the SIMD kernels, AssemblyScript in src/kernels/assembly, into TypeScript that is committed, so that installing
// needs no compiler. A test builds them again and compares.
import { readFileSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import asc from 'assemblyscript/asc'

const root = new URL('.', import.meta.url)

/** One for what most programs need, one for what layers need beside it: where the constants of each begin in a memory. */
export const constantsAt = { routing: 1024, matrix: 4096 } as const

type Name = keyof typeof constantsAt

export const names = Object.keys(constantsAt) as Name[]

/** The text of src/kernels/NAME-wasm.ts. The module starts on an empty memory: no runtime, no garbage collector. */
export async function wasmSource(name: Name): Promise<string> {
  const built = new Map<string, Uint8Array | string>()
  const flags =
    '-O3 --converge --runtime stub --enable simd --noAssert --importMemory --outFile kernels.wasm --memoryBase'
  const { error, stderr } = await asc.main(
    [`src/kernels/assembly/${name}-module.ts`, ...flags.split(' '), `${constantsAt[name]}`],
    {
      readFile: (file) => {
        try {
          return readFileSync(new URL(file, root), 'utf8')
        } catch {
          return null
        }
      },
      writeFile: (file, content) => void built.set(file, content),
    },
  )
  if (error) throw new Error(`asc: ${stderr}`, { cause: error })
  // Hexadecimal, not base64: longer, but gzip finds the repetitions of the bytes in it, and a fifth less goes over the wire.
  const hex = Buffer.from(built.get('kernels.wasm') as Uint8Array).toString('hex')
  return `// Written by \`npm run kernels\` from ./assembly: do not edit.\nexport const ${name}Wasm: string =\n  '${hex}'\n`
}

if (import.meta.url === pathToFileURL(process.argv[1]!).href) {
  for (const name of names)
    writeFileSync(new URL(`src/kernels/${name}-wasm.ts`, root), await wasmSource(name))
}
