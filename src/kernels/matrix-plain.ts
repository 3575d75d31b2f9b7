import { unitOf } from './activations.js'
import { byName, type MatrixKernels, panel } from './matrix.js'

const fround = Math.fround

/** The twin without WebAssembly: it says what the bits are. */
export function plainKernels(): MatrixKernels {
  let first = new Float32Array(0)
  return {
    areas: (lengths) =>
      byName(lengths, (length, i) => {
        if (i > 0) return new Float32Array(length)
        if (length !== first.length) first = new Float32Array(length)
        return first
      }),
    pack,
    linear,
    sparse: (rows, stride, matrix, out, count) => linear(rows, stride, matrix, out, count),
    gather(inputs, places, factors, rows, width) {
      places.forEach((place, r) => {
        for (let i = 0; i < width; i++) rows[r * width + i] = factors[r] * inputs[place * width + i]
      })
    },
    activate,
    combine,
  }
}

const pack: MatrixKernels['pack'] = (weight, bias, packed, inputs) => {
  const width = packed.length / (inputs + 1)
  packed.fill(0)
  for (let output = 0; output * inputs < weight.length; output++) {
    const lane = output % panel
    const first = (output - lane) * inputs + lane
    for (let i = 0; i < inputs; i++) packed[first + i * panel] = weight[output * inputs + i]
  }
  if (bias) packed.set(bias, width * inputs)
  return { packed, inputs, width, finite: false }
}

// Eight sums at a time stay in registers; what rounds to float32 costs more than what multiplies.
const linear: MatrixKernels['linear'] = (rows, stride, { packed, inputs, width }, out, count, places) => {
  for (let output = 0; output < width; output += 8) {
    const lane = output % panel
    const first = (output - lane) * inputs + lane
    const bias = packed.subarray(width * inputs + output)
    for (let row = 0; row < count; row++) {
      const sums = out.subarray(row * width + output)
      let [a, b, c, d, e, f, g, h] = [0, 0, 0, 0, 0, 0, 0, 0]
      const start = stride * (places ? places[row] : row)
      const end = start + inputs
      for (let i = start, at = first; i < end; i++, at += panel) {
        const x = rows[i]
        a = fround(a + fround(x * packed[at]))
        b = fround(b + fround(x * packed[at + 1]))
        c = fround(c + fround(x * packed[at + 2]))
        d = fround(d + fround(x * packed[at + 3]))
        e = fround(e + fround(x * packed[at + 4]))
        f = fround(f + fround(x * packed[at + 5]))
        g = fround(g + fround(x * packed[at + 6]))
        h = fround(h + fround(x * packed[at + 7]))
      }
      sums[0] = a + bias[0]
      sums[1] = b + bias[1]
      sums[2] = c + bias[2]
      sums[3] = d + bias[3]
      sums[4] = e + bias[4]
      sums[5] = f + bias[5]
      sums[6] = g + bias[6]
      sums[7] = h + bias[7]
    }
  }
}

export const activate: MatrixKernels['activate'] = (activation, gated, gate, up) => {
  const unit = unitOf(activation, gated)
  for (let i = 0; i < up.length; i++) up[i] = unit(gate[i], up[i])
}

const combine: MatrixKernels['combine'] = (rows, places, weights, out, count, slots, width) => {
  const sums = new Float64Array(width)
  for (let row = 0; row < count; row++) {
    sums.fill(0)
    for (let slot = row * slots; slot < (row + 1) * slots; slot++) {
      if (places[slot] < 0) continue
      const weight = weights[slot]
      const from = places[slot] * width
      for (let i = 0; i < width; i++) sums[i] += weight * rows[from + i]
    }
    out.set(sums, row * width)
  }
}
