import type { Draws } from '../random.js'
import { ziggurat } from '../ziggurat.js'
import { type RoutingInstance, routingModule } from './routing-module.js'
import type { RowMaker, RowSource } from './row-source.js'

/** Rows of independent normals. */
export interface Normals {
  /** [W], float64. */
  readonly means: Float64Array
  readonly spread: number
}

/** Tokens, one after another, of the same means [W]. */
export interface Run {
  readonly tokens: number
  readonly means: Float64Array
}

/**
 * float32(means[i] + spread · N(0, 1)) as rows [T, W] of all tokens of the runs: row t has the numbers of `draws.at(t)`, in
 * order, so that any row can be drawn alone.
 */
export function normalRows(draws: Draws, runs: readonly Run[], width: number, spread: number): Float32Array {
  const rows = new Float32Array(width * runs.reduce((sum, { tokens }) => sum + tokens, 0))
  const instance = routingModule.shared()
  if (instance === undefined) plainRows(draws, runs, spread, rows)
  else fastRows(instance, draws, runs, { means: new Float64Array(width), spread }, rows)
  return rows
}

function plainRows(draws: Draws, runs: readonly Run[], spread: number, rows: Float32Array): void {
  let token = 0
  let at = 0
  for (const { tokens, means } of runs) {
    const noise = new Float64Array(means.length)
    for (const end = token + tokens; token < end; token++) {
      draws.at(token).normals(noise)
      for (let i = 0; i < noise.length; i++) rows[at++] = means[i] + spread * noise[i]
    }
  }
}

/** Floats of a block of rows that is copied out while it is in the second-level cache. */
const cachedFloats = 1 << 16

function fastRows(
  kernels: RoutingInstance,
  draws: Draws,
  runs: readonly Run[],
  normals: Normals,
  rows: Float32Array,
): void {
  const source = normalSource(normals)
  const { width } = source
  const most = Math.max(1, Math.min(rows.length / width, Math.floor(cachedFloats / width)))
  const [rowsAt, ...areas] = kernels.lay(4 * most * width + 16, ...source.bytes)
  const maker = source.open(kernels, areas)
  maker.seek(draws)
  const drawn = kernels.floats(rowsAt, most * width)
  let token = 0
  for (const { tokens, means } of runs) {
    maker.means.set(means)
    for (const end = token + tokens; token < end; ) {
      const some = Math.min(most, end - token)
      maker.rows(token, some, rowsAt)
      rows.set(drawn.subarray(0, some * width), token * width)
      token += some
    }
  }
}

/** Such rows, made where they are wanted; the means of those to come may be changed. */
export function normalSource({ means, spread }: Normals): RowSource<RowMaker & { means: Float64Array }> {
  const width = means.length
  return {
    width,
    bytes: [16, 4096 + 2064 + 512, 8 * width + 32, 16 * (width + 96)],
    open(kernels, [keyAt, tablesAt, meansAt, wordsAt]) {
      const { layers, heights } = ziggurat()
      const key = kernels.words(keyAt, 4)
      kernels.doubles(tablesAt, layers.length).set(layers)
      kernels.doubles(tablesAt + layers.byteLength, heights.length).set(heights)
      const current = kernels.doubles(meansAt, width)
      current.set(means)
      return {
        means: current,
        seek(draws) {
          key.set(draws.key)
          kernels.seek(keyAt, draws.step, draws.layer, tablesAt)
        },
        rows: (first, tokens, at) => kernels.normals(first, tokens, width, meansAt, spread, wordsAt, at),
      }
    },
  }
}
