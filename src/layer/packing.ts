import { type Matrix, type MatrixKernels, packedLength, panel } from '../kernels/matrix.js'
import { ownKernels, sharedKernels } from '../kernels/matrix-kernels.js'
import type { Part, Parts } from './parts.js'
import type { LayerWeights } from './weights.js'

/** Where the packed matrices of a layer come from. */
export interface Packing {
  readonly kernels: MatrixKernels
  /** Floats of the areas that come first: what is packed, and a stage to pack from. */
  readonly lengths: { readonly packed: number; readonly stage: number }
  /** Parts of one list of `Parts`, packed; those asked for before may be overwritten. */
  matrices(parts: readonly Part[], packed: Float32Array, stage: Float32Array): Matrix[]
}

const lengthOf = (parts: readonly Part[]): number =>
  parts.reduce((sum, { outputs, inputs }) => sum + packedLength(outputs, inputs), 0)

const listsOf = (parts: Parts): (readonly Part[])[] => [
  ...parts.experts,
  parts.shared,
  parts.sharedGate,
  parts.latentDown,
  parts.latentUp,
]

const stageFor = (lists: readonly (readonly Part[])[]): number =>
  panel * lists.flat().reduce((most, { inputs }) => Math.max(most, inputs), 0)

/** Packs a part at the start of an area. */
function packPart(
  kernels: MatrixKernels,
  part: Part,
  weights: LayerWeights,
  area: Float32Array,
  stage: Float32Array,
): Matrix {
  const { weight, bias, expert, outputs, inputs } = part
  const packed = area.subarray(0, packedLength(outputs, inputs))
  const own = (all: Float32Array, size: number): Float32Array =>
    all.subarray(expert * size, (expert + 1) * size)
  const values = own(weights[weight]!, outputs * inputs)
  return kernels.pack(values, bias && own(weights[bias]!, outputs), packed, inputs, stage)
}

/** Packs what is needed when it is needed, one list in the place of the other. */
export function packAsNeeded(weights: LayerWeights, parts: Parts): Packing {
  const kernels = sharedKernels()
  const lists = listsOf(parts)
  return {
    kernels,
    lengths: {
      packed: lists.reduce((most, list) => Math.max(most, lengthOf(list)), 0),
      stage: stageFor(lists),
    },
    matrices(list, packed, stage) {
      let start = 0
      return list.map((part) => {
        const matrix = packPart(kernels, part, weights, packed.subarray(start), stage)
        start += matrix.packed.length
        return matrix
      })
    },
  }
}

/** The most that is packed once and held, in floats: a memory of WebAssembly ends at twice as much. */
const mostHeld = 2 ** 29

/** Packs everything now and holds it; undefined where it is too much. */
export function packOnce(weights: LayerWeights, parts: Parts): Packing | undefined {
  const lists = listsOf(parts)
  const lengths = { packed: lengthOf(lists.flat()), stage: stageFor(lists) }
  if (lengths.packed > mostHeld) return undefined
  const kernels = ownKernels()
  const kept = new Map<Part, { start: number; matrix: Matrix }>()
  const { packed, stage } = kernels.areas(lengths)
  let start = 0
  for (const part of lists.flat()) {
    const matrix = packPart(kernels, part, weights, packed.subarray(start), stage)
    kept.set(part, { start, matrix })
    start += matrix.packed.length
  }
  return {
    kernels,
    lengths,
    matrices: (list, held) =>
      list.map((part) => {
        const { start, matrix } = kept.get(part)!
        return { ...matrix, packed: held.subarray(start, start + matrix.packed.length) }
      }),
  }
}
