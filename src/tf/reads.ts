import { demand } from '../index.js'
import { onHost } from './rows.js'
import type { Tf } from './tfjs.js'

const readable = new WeakSet<object>()

/**
 * Throws an InputError where the values of a tensor do not come back at once, by `dataSync`; asked of each backend once.
 * That of webgpu draws them on a canvas, and gets zeros where canvas and device do not share textures.
 */
export function demandReads(tf: Tf, name: string): void {
  const backend = tf.backend()
  if (onHost(tf) || readable.has(backend)) return
  const wanted = Float32Array.from({ length: 2048 }, (_, i) => (i % 256) - 100.5) // of small ones it holds a copy
  let found: unknown
  tf.tidy(() => {
    const sum = tf.add(tf.tensor1d(wanted), 1)
    try {
      found = sum.dataSync().find((value, i) => value !== wanted[i] + 1)
    } catch (error) {
      found = error
    }
  })
  demand(
    found === undefined,
    `${name}: the ${tf.getBackend()} backend must give values at once, by dataSync, as they are`,
    String(found),
    'Use wasm or webgl; on webgpu in Chromium without a GPU, add --enable-features=Vulkan --use-vulkan=swiftshader.',
  )
  readable.add(backend)
}
