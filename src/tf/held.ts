import type { DataId, Tensor2D } from '@tensorflow/tfjs'
import {
  forwardLayer,
  type LayerConfig,
  type LayerForward,
  type LayerWeights,
  prepareLayer,
  type Routing,
} from '../index.js'
import type { Tensors } from './forward.js'
import { onHost } from './rows.js'
import type { Tf } from './tfjs.js'

/** Whether the core may compute an output by itself: values are at hand, and no gradient will be asked for. */
export const offTape = (tf: Tf): boolean => onHost(tf) && !tf.engine().isTapeOn()

/** The layer off the tape. */
export interface HeldLayer {
  /** The output [T, D] of tokens [T, D]: `forwardLayer`, to the last bit. */
  forward(x: Tensor2D, routing: Routing): Tensor2D
  /** Gives up what is held. */
  release(): void
}

/** A layer that holds its weights, packed, from the second forward pass until they change: a new value has other data. */
export function heldLayer(tf: Tf, config: LayerConfig, tensors: Tensors): HeldLayer {
  let last: DataId[] = []
  let held: LayerForward | undefined
  const weights = (): LayerWeights => {
    const values = Object.entries(tensors).map(([name, tensor]) => [name, tensor.dataSync()])
    const bias = config.correctionBias && { correctionBias: new Float32Array(config.router.numExperts) } // unused
    return { ...Object.fromEntries(values), ...bias }
  }
  return {
    forward(x, routing) {
      const data = Object.values(tensors).map(({ dataId }) => dataId)
      const same = data.every((id, i) => id === last[i])
      last = data
      held = same ? (held ?? prepareLayer(weights(), config)) : undefined
      const hidden = x.dataSync() as Float32Array
      const output = held ? held(hidden, routing) : forwardLayer(hidden, routing, weights(), config)
      return tf.tensor2d(output, x.shape)
    },
    release() {
      last = []
      held = undefined
    },
  }
}
