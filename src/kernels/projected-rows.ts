import { copyRows, packedLength, padded, panel } from './matrix.js'
import { type MatrixInstance, matrixModule } from './matrix-module.js'
import { simdKernels } from './matrix-simd.js'
import type { RowSource } from './row-source.js'

/** Rows and what they become stay in the second-level cache. */
const cachedFloats = 1 << 15

/**
 * Rows of a source times the weight [O, I] of the layer that they are drawn for, with the bits of `linear`: block by block,
 * drawn and multiplied in the second-level cache.
 */
export function projectedSource(
  source: RowSource,
  outputs: number,
  weightOf: (layer: number) => Float32Array,
): RowSource {
  const inputs = source.width
  const width = padded(outputs)
  const block = Math.max(4, Math.floor(cachedFloats / (inputs + width)))
  const packedFloats = packedLength(outputs, inputs)
  const sizes = [block * inputs + 16, block * width, packedFloats, panel * inputs]
  return {
    width: outputs,
    bytes: [...sizes.map((floats) => 4 * floats), ...source.bytes],
    open(kernels, [rowsAt, outAt, packedAt, stageAt, ...areas]) {
      const { floats } = kernels
      const maker = source.open(kernels, areas)
      const matrices = matrixModule.create(kernels.memory) as MatrixInstance // what runs one module runs another
      const { pack } = simdKernels(matrices)
      const packed = floats(packedAt, packedFloats)
      const stage = floats(stageAt, panel * inputs)
      const biasAt = packedAt + 4 * width * inputs
      const wide = width === outputs ? undefined : floats(outAt, block * width)
      return {
        seek(draws) {
          maker.seek(draws)
          pack(weightOf(draws.layer), undefined, packed, inputs, stage)
        },
        rows(first, tokens, at) {
          for (let done = 0; done < tokens; done += block) {
            const some = Math.min(block, tokens - done)
            const to = at + 4 * done * outputs
            maker.rows(first + done, some, rowsAt)
            const into = wide ? outAt : to
            matrices.linear(rowsAt, 4 * inputs, 0, packedAt, biasAt, into, some, inputs, width / panel)
            if (wide) copyRows(wide, width, floats(to, some * outputs), outputs)
          }
        },
      }
    },
  }
}
