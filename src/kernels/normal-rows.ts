import type { Draws } from '../random.js'
import { ziggurat } from '../ziggurat.js'
import { type RoutingInstance, routingModule } from './routing-module.js'

/**
 * float32(means[i] + spread · N(0, 1)) as rows [tokens, width]: row t has the numbers of `draws.at(t)`, in order, so that
 * any row can be drawn alone. `means` is [width].
 */
export function normalRows(draws: Draws, tokens: number, means: Float64Array, spread: number): Float32Array {
  const instance = routingModule.shared()
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
  kernels: RoutingInstance,
  draws: Draws,
  tokens: number,
  means: Float64Array,
  spread: number,
): Float32Array {
  const width = means.length
  const block = Math.max(1, Math.min(tokens, Math.floor(cachedFloats / width)))
  const [rowsAt, ...areas] = kernels.lay(4 * block * width + 16, ...drawBytes(width))
  const draw = drawer(kernels, means, spread, areas)
  draw.seek(draws)
  const rows = new Float32Array(tokens * width)
  const drawn = kernels.floats(rowsAt, block * width)
  for (let first = 0; first < tokens; first += block) {
    const some = Math.min(block, tokens - first)
    draw.rows(first, some, rowsAt)
    rows.set(drawn.subarray(0, some * width), first * width)
  }
  return rows
}

/** The areas that a drawer of rows of so many normals needs. */
export const drawBytes = (width: number): number[] => [
  16,
  4096 + 2064 + 512,
  8 * width + 32,
  16 * (width + 96),
]

/** Draws rows of means[i] + spread · N(0, 1) where they are wanted, in the memory of `kernels`; `areas` is laid by `drawBytes`. */
export function drawer(
  kernels: RoutingInstance,
  means: Float64Array,
  spread: number,
  areas: readonly number[],
) {
  const [keyAt, tablesAt, meansAt, wordsAt] = areas
  const { layers, heights } = ziggurat()
  const key = kernels.words(keyAt, 4)
  kernels.doubles(tablesAt, layers.length).set(layers)
  kernels.doubles(tablesAt + layers.byteLength, heights.length).set(heights)
  kernels.doubles(meansAt, means.length).set(means)
  return {
    seek(draws: Draws): void {
      key.set(draws.key)
      kernels.seek(keyAt, draws.step, draws.layer, tablesAt)
    },
    /** Rows of `tokens` tokens from `first` on, and up to three floats beyond. */
    rows(first: number, tokens: number, at: number): void {
      kernels.normals(first, tokens, means.length, meansAt, spread, wordsAt, at)
    },
  }
}
