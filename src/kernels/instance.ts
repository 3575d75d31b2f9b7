/** What every module exports. Pointers are bytes from the start of the memory. */
interface Exports {
  readonly memory: WebAssembly.Memory
  readonly heapBase: WebAssembly.Global
}

/** SIMD kernels `K` and a memory of their own. */
export type Instance<K> = K & {
  readonly memory: WebAssembly.Memory
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

/** A module of kernels, compiled when it is first asked for. */
export interface KernelModule<K> {
  /**
   * A new instance, or undefined where WebAssembly is missing or forbidden (a Content-Security-Policy without
   * 'wasm-unsafe-eval'): every kernel has a plain twin with the same bits.
   */
  create(): Instance<K> | undefined
  /** The instance for calls that leave nothing behind; undefined as above. */
  shared(): Instance<K> | undefined
}

/** An area starts on a multiple of this, so that no vector straddles a cache line that it need not. */
const alignment = 64

/** The module whose bytes `hex` spells. */
export function kernelModule<K extends object>(hex: string): KernelModule<K> {
  let compiled: WebAssembly.Module | undefined
  let shared: Instance<K> | undefined
  const create = (): Instance<K> | undefined => {
    if (typeof WebAssembly === 'undefined') return undefined
    try {
      compiled ??= new WebAssembly.Module(
        Uint8Array.from({ length: hex.length / 2 }, (_, i) =>
          Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16),
        ),
      )
      const exports = new WebAssembly.Instance(compiled).exports as unknown as K & Exports
      return { ...exports, ...memoryOf(exports) }
    } catch {
      return undefined
    }
  }
  return {
    create,
    shared() {
      if (typeof WebAssembly === 'undefined') return undefined
      shared ??= create()
      return shared
    },
  }
}

function memoryOf({ memory, heapBase }: Exports): Omit<Instance<object>, 'memory'> {
  return {
    lay(...bytes) {
      let end = Math.ceil(heapBase.value / alignment) * alignment // in front of it lie constants
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
}
