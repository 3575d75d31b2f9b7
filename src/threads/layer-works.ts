import { type LayerForward, prepareLayer } from '../index.js'
import type { Works } from './kinds.js'

/** The layers that a worker has prepared, in its own memory. */
export function layerWorks(): Works<'prepare' | 'forward' | 'release'> {
  const layers = new Map<number, LayerForward>()
  return {
    prepare(_, { layer, weights, config }) {
      layers.set(layer, prepareLayer(weights, config))
      return [true, []]
    },
    forward(rows, { layer, routing }) {
      const output = layers.get(layer)!(rows, routing)
      return [output, [output.buffer as ArrayBuffer]]
    },
    release(_, { layer }) {
      layers.delete(layer)
      return [true, []]
    },
  }
}
