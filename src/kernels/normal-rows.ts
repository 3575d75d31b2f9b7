import type { Draws } from '../random.js'
import { ziggurat } from '../ziggurat.js'
import { type RoutingInstance, routingModule } from './routing-module.js'
import type { RowSource } from './row-source.js'

/** Rows of independent normals. */
export interface Normals {
  /** [W], float64. */
  readonly means: Float64Array
  readonly spread: number
}

/**
 * float32(means[i] + spread · N(0, 1)) as rows [tokens, W]: row t has the numbers of `draws.at(t)`, in order, so that any
 * row can be drawn alone.
 */
export function normalRows(draws: Draws, tokens: number, normals: Normals): Float32Array {
  const instance = routingModule.shared()
  return instance === undefined
    ? plainRows(draws, tokens, normals)
    : fastRows(instance, draws, tokens, normals)
}

function plainRows(draws: Draws, tokens: number, { means, spread }: Normals): Float32Array {
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

function fastRows(kernels: RoutingInstance, draws: Draws, tokens: number, normals: Normals): Float32Array {
  const source = normalSource(normals)
  const { width } = source
  const block = Math.max(1, Math.min(tokens, Math.floor(cachedFloats / width)))
  const [rowsAt, ...areas] = kernels.lay(4 * block * width + 16, ...source.bytes)
  const maker = source.open(kernels, areas)
  maker.seek(draws)
  const rows = new Float32Array(tokens * width)
  const drawn = kernels.floats(rowsAt, block * width)
  for (let first = 0; first < tokens; first += block) {
    const some = Math.min(block, tokens - first)
    maker.rows(first, some, rowsAt)
    rows.set(drawn.subarray(0, some * width), first * width)
  }
  return rows
}

/** The same rows, made where they are wanted. */
export function normalSource({ means, spread }: Normals): RowSource {
  const width = means.length
  return {
    width,
    bytes: [16, 4096 + 2064 + 512, 8 * width + 32, 16 * (width + 96)],
    open(kernels, [keyAt, tablesAt, meansAt, wordsAt]) {
      const { layers, heights } = ziggurat()
      const key = kernels.words(keyAt, 4)
      kernels.doubles(tablesAt, layers.length).set(layers)
      kernels.doubles(tablesAt + layers.byteLength, heights.length).set(heights)
      kernels.doubles(meansAt, width).set(means)
      return {
        seek(draws) {
          key.set(draws.key)
          kernels.seek(keyAt, draws.step, draws.layer, tablesAt)
        },
        rows: (first, tokens, at) => kernels.normals(first, tokens, width, meansAt, spread, wordsAt, at),
      }
    },
  }
}
