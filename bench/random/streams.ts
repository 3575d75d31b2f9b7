/** The ways in which draws are cut from the streams of a seed, each as one endless sequence of 32-bit words. */
import { normalCdf, normalDensity, streams } from 'moesim'

/** The next word, again and again. */
export type Words = () => number

export const sequences: Readonly<Record<string, (seed: string) => Words>> = {
  /** As `simulate` draws logits: 128 words of each of 4,096 tokens, step after step. */
  batches(seed) {
    const random = streams(seed)
    let draws = random('workload')
    let [step, token, word] = [0, 0, 0]
    return () => {
      if (word === 128) {
        word = 0
        if (++token === 4096) {
          token = 0
          draws = random('workload', 0, ++step)
        }
        draws.at(token)
      }
      word++
      return draws.uint32()
    }
  },
  /** The words of one token. */
  words(seed) {
    const draws = streams(seed)('workload')
    return () => draws.uint32()
  },
  /** The same, lowest bit first: many tests look at the upper bits alone. */
  reversed(seed) {
    const draws = streams(seed)('workload')
    return () => reverse(draws.uint32())
  },
  /** The first word of token after token. */
  tokens(seed) {
    const draws = streams(seed)('workload')
    let token = 0
    return () => draws.at(token++).uint32()
  },
  /** The first word of a token at step after step. */
  steps(seed) {
    const random = streams(seed)
    let step = 0
    return () => random('workload', 0, step++).uint32()
  },
  /** The first word of a token in layer after layer. */
  layers(seed) {
    const random = streams(seed)
    let layer = 0
    return () => random('workload', layer++).uint32()
  },
  /** A word of each of three streams in turn, at the same counter. */
  names(seed) {
    const named = ['workload', 'weights', 'noise'].map((name) => streams(seed)(name))
    let turn = 0
    return () => named[turn++ % 3].uint32()
  },
  /** 64 words of seed after seed: 0, 1, 2 … */
  seeds() {
    let [seed, word] = [0, 0]
    let draws = streams(seed)('workload')
    return () => {
      if (word === 64) {
        word = 0
        draws = streams(++seed)('workload')
      }
      word++
      return draws.uint32()
    }
  },
  /** Normals, which Φ makes uniform again. */
  normals(seed) {
    const draws = streams(seed)('workload')
    const row = new Float64Array(4096)
    let [token, used] = [0, row.length]
    return () => {
      if (used === row.length) {
        draws.at(token++).normals(row)
        used = 0
      }
      return uniformOf(row[used++])
    }
  },
}

function reverse(word: number): number {
  let bits = word
  bits = ((bits >>> 1) & 0x55555555) | ((bits & 0x55555555) << 1)
  bits = ((bits >>> 2) & 0x33333333) | ((bits & 0x33333333) << 2)
  bits = ((bits >>> 4) & 0x0f0f0f0f) | ((bits & 0x0f0f0f0f) << 4)
  bits = ((bits >>> 8) & 0x00ff00ff) | ((bits & 0x00ff00ff) << 8)
  return (bits >>> 16) | (bits << 16)
}

/** Knots of Φ from −10 to 10. Between two, the cubic with the right values and slopes is off by less than 1e-12. */
const perUnit = 256
const knots = Float64Array.from({ length: 20 * perUnit + 1 }, (_, i) => normalCdf(i / perUnit - 10))
const slopes = Float64Array.from(
  { length: knots.length },
  (_, i) => normalDensity(i / perUnit - 10) / perUnit,
)

function uniformOf(x: number): number {
  const at = (x + 10) * perUnit
  const i = Math.floor(at)
  const t = at - i
  const rise = knots[i + 1] - knots[i]
  const bend = (1 - t) * (slopes[i] - rise) - t * (slopes[i + 1] - rise)
  return Math.min(4294967295, Math.floor(4294967296 * (knots[i] + t * (rise + (1 - t) * bend))))
}
