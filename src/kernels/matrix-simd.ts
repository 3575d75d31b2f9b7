import { activations } from './activations.js'
import { byName, type MatrixKernels, panel } from './matrix.js'
import type { MatrixInstance } from './matrix-module.js'
import { activate } from './matrix-plain.js'

/** The SIMD kernels on areas of their memory. Calls pass byte offsets, which is why no area may be another memory's. */
export function simdKernels(kernels: MatrixInstance): MatrixKernels {
  const linear: MatrixKernels['linear'] = (rows, stride, { packed, inputs, width }, out, count, places) => {
    const at = packed.byteOffset
    kernels.linear(
      rows.byteOffset,
      4 * stride,
      places?.byteOffset ?? 0,
      at,
      at + 4 * width * inputs,
      out.byteOffset,
      count,
      inputs,
      width / panel,
    )
  }
  return {
    areas(lengths) {
      const bytes = Object.values<number>(lengths).map((length) => 4 * length)
      const starts = kernels.lay(...bytes)
      return byName(lengths, (length, i) => kernels.floats(starts[i], length))
    },
    // A panel at a time: its rows are copied in and turned around in the first-level cache.
    pack(weight, bias, packed, inputs, stage) {
      const width = packed.length / (inputs + 1)
      const size = panel * inputs
      let finite = 1
      for (let first = 0; first < width * inputs; first += size) {
        const rows = weight.subarray(first, first + size)
        stage.set(rows)
        if (rows.length < size) stage.fill(0, rows.length)
        finite &= kernels.pack(stage.byteOffset, packed.byteOffset + 4 * first, inputs)
      }
      const last = packed.subarray(width * inputs)
      if (bias) last.set(bias)
      last.fill(0, bias?.length ?? 0)
      return { packed, inputs, width, finite: finite === 1 }
    },
    linear,
    sparse(rows, stride, matrix, out, count, entries) {
      const { packed, inputs, width, finite } = matrix
      // 0 · ∞ and 0 · NaN are NaN, and must not be left out.
      if (!finite || inputs % 4 > 0 || width < 2 * panel) return linear(rows, stride, matrix, out, count)
      const at = packed.byteOffset
      kernels.sparse(
        rows.byteOffset,
        4 * stride,
        entries.byteOffset,
        at,
        at + 4 * width * inputs,
        out.byteOffset,
        count,
        inputs,
        width / panel,
      )
    },
    gather(inputs, places, factors, rows, width) {
      kernels.gather(
        inputs.byteOffset,
        places.byteOffset,
        factors.byteOffset,
        rows.byteOffset,
        places.length,
        width,
      )
    },
    activate(activation, gated, gate, up) {
      if (activation === 'gelu') return activate(activation, gated, gate, up) // a series too long for a copy in SIMD
      const curve = activations.indexOf(activation)
      kernels.activate(curve, Number(gated), gate.byteOffset, up.byteOffset, up.length)
    },
    combine(rows, places, weights, out, count, slots, width) {
      kernels.combine(
        rows.byteOffset,
        places.byteOffset,
        weights.byteOffset,
        out.byteOffset,
        count,
        slots,
        width,
      )
    },
  }
}
