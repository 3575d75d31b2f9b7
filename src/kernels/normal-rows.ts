import type { Draws } from '../random.js'
import { ziggurat } from '../ziggurat.js'
import { type Instance, sharedInstance } from './instance.js'

/**
 * float32(means[i] + spread · N(0, 1)) as rows [tokens, width]: row t has the numbers of `draws.at(t)`, in order, so that
 * any row can be drawn alone. `means` is [width].
 */
export function normalRows(draws: Draws, tokens: number, means: Float64Array, spread: number): Float32Array {
  const instance = sharedInstance()
  return instance === undefined
    ? plainRows(draws, tokens, means, spread)
    : fastRows(instance, draws, tokens, means, spread)
}

function plainRows(draws: Draws, tokens: number, means: Float64Array, spread: number): Float32Array {
  const width = means.length
  const rows = new Float32Array(tokens * width)
  const noise = new Float64Array(width)
  for (let token = 0; token < tokens; token++) {
    draws.at(token).normals(noise)
    for (let i = 0; i < width; i++) rows[token * width + i] = means[i] + spread * noise[i]
  }
  return rows
}

/** Floats of a block of rows that is copied out while it is in the second-level cache. */
const cachedFloats = 1 << 16

function fastRows(
  kernels: Instance,
  { key, step, layer }: Draws,
  tokens: number,
  means: Float64Array,
  spread: number,
): Float32Array {
  const width = means.length
  const block = Math.max(1, Math.min(tokens, Math.floor(cachedFloats / width)))
  const { layers, heights } = ziggurat()
  const tableBytes = layers.byteLength + heights.byteLength + 8 + 64
  const sizes = [16, tableBytes, 8 * width + 32, 4 * width + 64, 4 * block * width + 16]
  const [keyAt, tablesAt, meansAt, wordsAt, rowsAt] = kernels.lay(...sizes)
  kernels.words(keyAt, 4).set(key)
  kernels.doubles(tablesAt, 512).set(layers)
  kernels.doubles(tablesAt + 4096, 257).set(heights)
  kernels.doubles(meansAt, width).set(means)
  kernels.seek(keyAt, step, layer, tablesAt)
  const rows = new Float32Array(tokens * width)
  const drawn = kernels.floats(rowsAt, block * width)
  for (let first = 0; first < tokens; first += block) {
    const some = Math.min(block, tokens - first)
    kernels.normals(first, some, width, meansAt, spread, wordsAt, rowsAt)
    rows.set(drawn.subarray(0, some * width), first * width)
  }
  return rows
}
