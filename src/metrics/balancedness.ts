import { layersOf } from './layers.js'

// One figure for the balance of a whole model, from the load of every layer by device, [L, R], or by expert, [L, E].
// Both are 1 at balance; for a window of passes, sum their loads first (`sumLoads`).

/** Mean over layers of (mean + 1e-5) / (largest + 1e-5). SGLang, its expert distribution recorder. */
export function meanBalancedness(load: Int32Array | Float32Array | Float64Array, width: number): number {
  const layers = peaks(load, width)
  return layers.reduce((sum, { mean, largest }) => sum + (mean + 1e-5) / (largest + 1e-5), 0) / layers.length
}

/** Σ mean / Σ largest, sums over layers: the layers that take most time count most. vLLM, EPLB. 1 of no load. */
export function pooledBalancedness(load: Int32Array | Float32Array | Float64Array, width: number): number {
  const layers = peaks(load, width)
  const largest = layers.reduce((sum, layer) => sum + layer.largest, 0)
  return largest === 0 ? 1 : layers.reduce((sum, layer) => sum + layer.mean, 0) / largest
}

function peaks(load: Int32Array | Float32Array | Float64Array, width: number) {
  return layersOf(load, width).map((layer) => {
    let sum = 0
    let largest = 0
    for (const count of layer) {
      sum += count
      largest = Math.max(largest, count)
    }
    return { mean: sum / width, largest }
  })
}
