import { mean, sum } from '../stats.js'
import { demandLoad } from './demand-load.js'
import { layersOf } from './layers.js'

// One figure for the balance of a whole model, from the load of every layer by device, [L, R], or by expert, [L, E].
// Both are 1 at balance; for a window of passes, sum their loads first (`sumLoads`).

/** Mean over layers of (mean + 1e-5) / (largest + 1e-5). SGLang, its expert distribution recorder. */
export function meanBalancedness(load: Int32Array | Float32Array | Float64Array, width: number): number {
  const layers = peaks(load, width)
  return mean(layers.map((layer) => (layer.mean + 1e-5) / (layer.largest + 1e-5)))
}

/** Σ mean / Σ largest, sums over layers: the layers that take most time count most. vLLM, EPLB. 1 of no load. */
export function pooledBalancedness(load: Int32Array | Float32Array | Float64Array, width: number): number {
  const layers = peaks(load, width)
  const largest = sum(layers.map((layer) => layer.largest))
  return largest === 0 ? 1 : sum(layers.map((layer) => layer.mean)) / largest
}

function peaks(load: Int32Array | Float32Array | Float64Array, width: number) {
  demandLoad('balancedness', load)
  return layersOf(load, width).map((layer) => {
    let largest = 0
    for (const count of layer) largest = Math.max(largest, count)
    return { mean: mean(layer), largest }
  })
}
