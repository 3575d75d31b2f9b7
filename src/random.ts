import seedrandom from 'seedrandom'
import { demand } from './errors.js'
import { threefry } from './threefry.js'
import { normalOf, ziggurat } from './ziggurat.js'

/**
 * Randomness is an argument, in named streams: a draw added to one stream shifts no other, and each
 * (stream, layer, step, token) has numbers of its own, the same in whatever order they are asked for.
 */
export type Streams = (name: string, layer?: number, step?: number) => Draws

/**
 * The streams of one seed. `seedrandom` turns (seed, name) into the 128-bit key of a counter-based generator;
 * the counter is (index, token, step, layer).
 */
export function streams(seed: string | number): Streams {
  demand(
    typeof seed === 'string' || Number.isFinite(seed),
    'streams: seed must be a string or a finite number',
    seed,
    'Pass one, such as 1 or "run-7".',
  )
  const keys = new Map<string, Int32Array>()
  const keyOf = (name: string): Int32Array => {
    let key = keys.get(name)
    if (key === undefined) {
      const generator = seedrandom(JSON.stringify([String(seed), name]))
      key = Int32Array.from({ length: 4 }, () => generator.int32())
      keys.set(name, key)
    }
    return key
  }
  return (name, layer = 0, step = 0) => new Draws(keyOf(name), layer, step)
}

/** Numbers of one stream at one layer and step, drawn one after another from the token last named by `at`. */
export class Draws {
  /** [4] what the seed and the stream's name make of the generator; with step and layer, where a kernel goes on from. */
  readonly key: Int32Array
  readonly layer: number
  readonly step: number
  readonly #block: Int32Array = new Int32Array(4)
  #token = 0
  #index = 0
  #used = 4

  constructor(key: Int32Array, layer: number, step: number) {
    this.key = key
    this.layer = layer
    this.step = step
  }

  /** Goes to the first number of `token`: a whole number below 2^32. */
  at(token: number): this {
    this.#token = token
    this.#index = 0
    this.#used = 4
    return this
  }

  /** 32 random bits, as a whole number in [0, 2^32). */
  uint32(): number {
    if (this.#used === 4) {
      threefry(this.key, this.#index, this.#token, this.step, this.layer, this.#block, 0)
      this.#index++
      this.#used = 0
    }
    return this.#block[this.#used++] >>> 0
  }

  /** Uniform in [0, 1), a multiple of 2^-53. */
  uniform(): number {
    const high = this.uint32() >>> 5
    const low = this.uint32() >>> 6
    return (high * 67108864 + low) / 9007199254740992
  }

  /** A whole number in [0, bound), each with the same chance; bound at most 2^32. */
  below(bound: number): number {
    const fair = 4294967296 - (4294967296 % bound) // above it, the low numbers would come up once more
    let bits = this.uint32()
    while (bits >= fair) bits = this.uint32()
    return bits % bound
  }

  /** Standard normal: the next word decides, in 1 of 80 draws with further ones of its own, so that it counts as one. */
  normal(): number {
    const word = this.uint32() | 0
    return normalOf(word, ziggurat(), (i) => this.#further(4 * (this.#index - 1) + this.#used - 1, i))
  }

  /** Fills `out` with what as many calls of `normal` would give, straight after `at`; faster for long rows. */
  normals(out: Float64Array): void {
    const block = this.#block
    const tables = ziggurat()
    for (let i = 0; i < out.length; i += 4) {
      threefry(this.key, this.#index++, this.#token, this.step, this.layer, block, 0)
      for (let word = 0; word < 4 && i + word < out.length; word++) {
        out[i + word] = normalOf(block[word], tables, (more) => this.#further(i + word, more))
      }
    }
  }

  /** Word `i` of those that decide about word `place`: they lie on the other side of the counter, and shift nothing. */
  #further(place: number, i: number): number {
    threefry(this.key, ~((place << 5) | (i >> 2)), this.#token, this.step, this.layer, spare, 0)
    return spare[i & 3]
  }
}

const spare = new Int32Array(4)
