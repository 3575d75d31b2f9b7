import { exp, log } from './math.js'
import { normalCdf } from './normal.js'

/**
 * The ziggurat of the normal density: 256 layers of the same area, of which most draws need one product and one
 * comparison. Its tables, shared with the SIMD kernel.
 * Source: Marsaglia and Tsang, "The ziggurat method for generating random variables", J. Statistical Software 5 (2000) no. 8.
 */
export interface Ziggurat {
  /** [256, 2] for each layer: its half width over 2²³, and the half width of the layer above, inside which every draw is right. */
  readonly layers: Float64Array
  /** [257] the density e^(−x²/2) at the half widths, the last 1: layer j lies between heights[j] and heights[j + 1]. */
  readonly heights: Float64Array
}

/** Where the tail begins, so that the base with its tail has the area of each of the 255 layers above. */
const tailStart = 3.6541528853610088

let tables: Ziggurat | undefined

/** The tables, made at the first draw. */
export function ziggurat(): Ziggurat {
  if (tables !== undefined) return tables
  const density = (x: number): number => exp(-0.5 * x * x)
  const area = tailStart * density(tailStart) + 2.5066282746310002 * normalCdf(-tailStart) // √(2π)
  const layers = new Float64Array(512)
  const heights = new Float64Array(257)
  let edge = area / density(tailStart) // the base is as wide as a layer of its area and height would be
  heights[0] = 0
  for (let j = 0; j < 256; j++) {
    const above = j === 0 ? tailStart : j === 255 ? 0 : Math.sqrt(-2 * log(area / edge + heights[j]))
    layers[2 * j] = edge / 8388608
    layers[2 * j + 1] = above
    heights[j + 1] = density(above)
    edge = above
  }
  tables = { layers, heights }
  return tables
}

/**
 * The normal that a word of 32 random bits stands for, if `more` need not be asked: 8 bits choose the layer, 24 the place
 * across it. Where the place is outside the layer above, `more(i)` gives further words to decide: i = 0, 1, 2 …
 */
export function normalOf(word: number, { layers, heights }: Ziggurat, more: (i: number) => number): number {
  for (let used = 0; ; ) {
    const j = word & 255
    const x = ((word >> 8) + 0.5) * layers[2 * j]
    const size = Math.abs(x)
    if (size < layers[2 * j + 1]) return x
    if (j === 0) return x < 0 ? -tail(more, used) : tail(more, used)
    const height = heights[j] + fraction(more(used++)) * (heights[j + 1] - heights[j])
    if (height < exp(-0.5 * x * x)) return x
    word = more(used++)
  }
}

/** A uniform in (0, 1) from 32 bits: never 0, so that it has a logarithm. */
const fraction = (word: number): number => ((word >>> 0) + 0.5) / 4294967296

/** |x| given that it lies in the tail. Source: Marsaglia, Technometrics 6 (1964) 101. */
function tail(more: (i: number) => number, first: number): number {
  for (let used = first; ; used += 2) {
    const x = -log(fraction(more(used))) / tailStart
    if (-2 * log(fraction(more(used + 1))) > x * x) return tailStart + x
  }
}
