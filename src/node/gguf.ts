import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { InputError, type TensorEntry } from '../index.js'
import { refusing } from './files.js'

/** Only this file needs the package: whoever wants it installs it. */
const installed = (): Promise<typeof import('@huggingface/gguf')> => import('@huggingface/gguf')

/**
 * The tensors of a GGUF file, from its header. Throws an InputError where there is no such file, or the package
 * @huggingface/gguf is absent or cannot read it; `load` brings the package, which is given a path that it cannot take for
 * an address to fetch from.
 */
export async function readGguf(path: string, load: typeof installed = installed): Promise<TensorEntry[]> {
  refusing(path, () => statSync(path))
  const { gguf, GGMLQuantizationType: names } = await load().catch(() => {
    const rule = 'gguf: the package @huggingface/gguf must be installed to read the header of a GGUF file'
    throw new InputError(rule, 'no such package', 'Run: npm install @huggingface/gguf')
  })
  const { tensorInfos } = await gguf(resolve(path), { allowLocalFile: true }).catch((error: Error) => {
    throw new InputError(`gguf: the header of ${path} must be sound`, error.message, 'Download it again.')
  })
  return tensorInfos.map(({ name, dtype, shape }) => ({
    name,
    dtype: names[dtype] ?? `type ${dtype}`,
    shape: shape.map(Number),
  }))
}
