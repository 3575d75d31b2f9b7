import { demand, demandNothingElse } from '../errors.js'
import { float32Of } from '../formats/decode.js'
import { float32Tensor } from '../formats/encode.js'
import { type Safetensors, type Tensor, tensor } from '../formats/safetensors.js'
import type { LayerConfig } from './config.js'
import { type Piece, storedTensors, type WeightLayout, weightLayouts } from './layouts.js'
import { checkWeights, type LayerWeights, sizeOf, type WeightName, weightList } from './weights.js'

export interface CheckpointOptions {
  /** What stands before the names of this layer, such as 'backbone.layers.1.mixer.'; nothing unless given. */
  readonly prefix?: string
  /** One of `weightLayouts`, or one of your own; `weightLayouts.nemotronH` unless given. */
  readonly layout?: WeightLayout
}

/**
 * The weights of one layer of a checkpoint with Hugging Face's names, from any of its float types. Throws an InputError
 * where one is missing or has another shape, and where a name under the prefix belongs to no weight of such a layer.
 */
export function readLayerWeights(
  file: Safetensors,
  config: LayerConfig,
  options: CheckpointOptions = {},
): LayerWeights {
  const { prefix = '', layout = weightLayouts.nemotronH, ...rest } = options
  demandNothingElse('readLayerWeights: the options', rest)
  const weights = Object.fromEntries(
    weightList(config).map(([name, shape]) => [name, new Float32Array(sizeOf(shape))]),
  ) as Record<WeightName, Float32Array>
  const stored = storedTensors(config, layout)
  for (const { name, shape, pieces } of stored) {
    const found = tensor(file, prefix + name)
    demand(
      String(found.shape) === String(shape),
      `readLayerWeights: tensor '${prefix + name}' must be [${shape}]`,
      `[${found.shape}]`,
      'Make the config and the layout those of the checkpoint.',
    )
    const values = float32Of(found)
    for (const piece of pieces) {
      eachPlace(piece, (place, at) => {
        weights[piece.weight][at] = values[place]
      })
    }
  }
  const known = new Set(stored.map(({ name }) => prefix + name))
  const stray = [...file.tensors.keys()].find((name) => name.startsWith(prefix) && !known.has(name))
  demand(
    stray === undefined,
    `readLayerWeights: every tensor under '${prefix}' must be a weight of the layer`,
    stray,
    'Name the part in the config, or give the prefix of the layer alone.',
  )
  return weights
}

/** The tensors, in float32, that a checkpoint stores of these weights: `readLayerWeights` reads them back to the last bit. */
export function layerTensors(
  weights: LayerWeights,
  config: LayerConfig,
  options: CheckpointOptions = {},
): Map<string, Tensor> {
  checkWeights(weights, config)
  const { prefix = '', layout = weightLayouts.nemotronH, ...rest } = options
  demandNothingElse('layerTensors: the options', rest)
  return new Map(
    storedTensors(config, layout).map(({ name, shape, pieces }) => {
      const values = new Float32Array(sizeOf(shape))
      for (const piece of pieces) {
        eachPlace(piece, (place, at) => {
          values[place] = weights[piece.weight]![at]
        })
      }
      return [prefix + name, float32Tensor(values, shape)]
    }),
  )
}

/** Calls `visit` for every element of a piece with its place in the stored tensor and its place in the weight. */
function eachPlace(piece: Piece, visit: (place: number, at: number) => void): void {
  const { at, rows, columns, start, down, along } = piece
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      visit(start + row * down + column * along, at + row * columns + column)
    }
  }
}
