/** SIMD kernels `K` and the memory they work in. Pointers are bytes from its start. */
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
   * 'wasm-unsafe-eval'): every kernel has a plain twin with the same bits. In a memory of its own, with room
   * for so many bytes beside what is usual, or in that of another module's instance.
   */
  create(memory?: WebAssembly.Memory | number): Instance<K> | undefined
  /** The instance for calls that leave nothing behind; undefined as above. */
  shared(): Instance<K> | undefined
}

/** Where the first area starts: in front of it lie the constants of every module, each in a place of its own. */
export const firstArea = 8192

/**
 * Pages of 64 kB that hold what most kernels need. A memory that grows detaches its buffer, and once any has been detached,
 * V8 looks before each access to any typed array whether it still has its own.
 */
const usualPages = 64

/** An area starts on a multiple of this, so that no vector straddles a cache line that it need not. */
const alignment = 64

/** The module whose bytes `hex` spells. */
export function kernelModule<K extends object>(hex: string): KernelModule<K> {
  /** Undefined where it is forbidden, which is asked once: to spell out the bytes takes a millisecond. */
  let compiled: WebAssembly.Module | undefined
  let asked = false
  let shared: Instance<K> | undefined
  const create = (given: WebAssembly.Memory | number = 0): Instance<K> | undefined => {
    if (typeof WebAssembly === 'undefined') return undefined
    if (asked && compiled === undefined) return undefined
    asked = true
    try {
      compiled ??= new WebAssembly.Module(
        Uint8Array.from({ length: hex.length / 2 }, (_, i) =>
          Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16),
        ),
      )
      const memory = typeof given === 'object' ? given : newMemory(given)
      const { exports } = new WebAssembly.Instance(compiled, { env: { memory } })
      return { ...(exports as unknown as K), memory, ...areasOf(memory) }
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

const newMemory = (bytes: number): WebAssembly.Memory =>
  new WebAssembly.Memory({ initial: usualPages + Math.ceil(bytes / 65536) })

function areasOf(memory: WebAssembly.Memory): Omit<Instance<object>, 'memory'> {
  return {
    lay(...bytes) {
      let end = firstArea
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
