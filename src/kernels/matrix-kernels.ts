import type { MatrixKernels } from './matrix.js'
import { matrixModule } from './matrix-module.js'
import { plainKernels } from './matrix-plain.js'
import { simdKernels } from './matrix-simd.js'

/** Kernels for a call that leaves nothing behind. */
export function sharedKernels(): MatrixKernels {
  const instance = matrixModule.shared()
  return instance === undefined ? plainKernels() : simdKernels(instance)
}

/** Kernels with areas of their own, for one that keeps something in the first area. */
export function ownKernels(): MatrixKernels {
  const instance = matrixModule.create()
  return instance === undefined ? plainKernels() : simdKernels(instance)
}
