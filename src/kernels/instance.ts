import { wasm } from './wasm.js'

/** What ./assembly exports. Pointers are bytes from the start of the memory. */
interface Exports {
  readonly memory: WebAssembly.Memory
  readonly heapBase: WebAssembly.Global
  pack(rows: number, packed: number, inputs: number): void
  linear(
    rows: number,
    stride: number,
    packed: number,
    bias: number,
    out: number,
    count: number,
    inputs: number,
    panels: number,
  ): void
  readonly scratchBytes: WebAssembly.Global
  plan(
    numExperts: number,
    topK: number,
    scoreKind: number,
    normalize: number,
    scale: number,
    epsilon: number,
    numGroups: number,
    topGroups: number,
    groupScoreTop: number,
    bias: number,
    thresholds: number,
    scratch: number,
    load: number,
  ): void
  scores(
    rows: number,
    count: number,
    width: number,
    kind: number,
    masked: number,
    out: number,
    powers: number,
  ): number
  cut(lowest: number, largest: number, main: number, low: number, high: number): void
  route(rows: number, tokens: number, experts: number, weights: number, kths: number, tops: number): number
  gather(inputs: number, places: number, factors: number, rows: number, count: number, width: number): void
  activate(curve: number, gated: number, gate: number, up: number, count: number): void
  combine(
    rows: number,
    places: number,
    weights: number,
    out: number,
    count: number,
    slots: number,
    width: number,
  ): void
  seek(key: number, step: number, layer: number, tables: number): void
  normals(
    token: number,
    count: number,
    width: number,
    means: number,
    spread: number,
    words: number,
    out: number,
  ): void
}

/** The SIMD kernels and a memory of their own. */
export interface Instance extends Exports {
  /**
   * Lays out so many bytes each, one area after another, and gives where they start. What was laid before is given up, but
   * leading areas of the same sizes as then lie where they lay, and hold what they held.
   */
  lay(...bytes: readonly number[]): number[]
  /** `length` values at `at`; a view does not outlive the next `lay`, which may move the memory. */
  floats(at: number, length: number): Float32Array
  doubles(at: number, length: number): Float64Array
  words(at: number, length: number): Int32Array
}

/** An area starts on a multiple of this, so that no vector straddles a cache line that it need not. */
const alignment = 64

let compiled: WebAssembly.Module | undefined
let shared: Instance | undefined

/**
 * A new instance of the kernels, or undefined where WebAssembly is missing or forbidden (a Content-Security-Policy
 * without 'wasm-unsafe-eval'): every kernel has a plain twin with the same bits.
 */
export function newInstance(): Instance | undefined {
  if (typeof WebAssembly === 'undefined') return undefined
  try {
    compiled ??= new WebAssembly.Module(Uint8Array.from(atob(wasm), (letter) => letter.charCodeAt(0)))
    const exports = new WebAssembly.Instance(compiled).exports as unknown as Exports
    const { memory } = exports
    return {
      ...exports,
      lay(...bytes) {
        let end = Math.ceil(exports.heapBase.value / alignment) * alignment // in front of it lie constants
        const starts = bytes.map((size) => {
          const start = end
          end += Math.ceil(size / alignment) * alignment
          return start
        })
        const missing = end - memory.buffer.byteLength
        if (missing > 0) memory.grow(Math.ceil(missing / 65536))
        return starts
      },
      floats: (at, length) => new Float32Array(memory.buffer, at, length),
      doubles: (at, length) => new Float64Array(memory.buffer, at, length),
      words: (at, length) => new Int32Array(memory.buffer, at, length),
    }
  } catch {
    return undefined
  }
}

/** The instance for calls that leave nothing behind; undefined as above. */
export function sharedInstance(): Instance | undefined {
  if (typeof WebAssembly === 'undefined') return undefined
  shared ??= newInstance()
  return shared
}
