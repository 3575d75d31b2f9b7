import { demand } from '../errors.js'
import { float32Of, int32Of } from '../formats/decode.js'
import { readSafetensors, tensor } from '../formats/safetensors.js'
import { metadataOf } from './metadata.js'

/** Loads and biases recorded while a model trained, at sampled steps. */
export interface TrainingLoad {
  /** [S] the sampled steps, ascending. */
  readonly steps: Int32Array
  readonly layers: number
  /** [L] the layers' places in the model's stack. */
  readonly layerIndices: readonly number[]
  readonly numExperts: number
  /** [S, L, E] tokens per expert of that step's batch. */
  readonly counts: Int32Array
  /** [S, L, E] the bias that step was routed with, before its update. */
  readonly bias: Float32Array
  /** u of the recorded rule. */
  readonly rate: number
  readonly tokensPerStep: number
  readonly topK: number
}

/**
 * Reads recorded training loads from a safetensors file: `step` [S], `counts` and `bias` [S, L, E]; metadata
 * `moe_layers`, `bias_update_speed`, `tokens_per_step` and `top_k`. Throws an InputError on a file that is not one.
 */
export function readTrainingLoad(bytes: Uint8Array): TrainingLoad {
  const file = readSafetensors(bytes)
  const counts = tensor(file, 'counts')
  const steps = int32Of(tensor(file, 'step'))
  const bias = tensor(file, 'bias')
  const [samples, layers, numExperts] = counts.shape
  const shape = `[${steps.length}, L, E]`
  demand(
    counts.shape.length === 3 && samples === steps.length && counts.bytes.length > 0,
    `readTrainingLoad: counts must be ${shape}, none of them 0`,
    `[${counts.shape}]`,
    'Record one count a step, layer and expert.',
  )
  demand(
    `${bias.shape}` === `${counts.shape}`,
    `readTrainingLoad: bias must be shaped as counts, [${counts.shape}]`,
    `[${bias.shape}]`,
    'Record the bias that each of these steps was routed with.',
  )
  const above0 = (key: string): number => {
    const value = metadataOf('readTrainingLoad', file, key, 'number')
    demand(
      value > 0,
      `readTrainingLoad: metadata '${key}' must be >0`,
      value,
      'Correct what the recorder wrote.',
    )
    return value
  }
  const layerIndices = metadataOf('readTrainingLoad', file, 'moe_layers', ['number'])
  demand(
    layerIndices.length === layers,
    `readTrainingLoad: metadata 'moe_layers' must name the ${layers} layers of counts`,
    layerIndices,
    'Name each recorded layer by its place in the stack.',
  )
  return {
    steps,
    layers,
    layerIndices,
    numExperts,
    counts: int32Of(counts),
    bias: float32Of(bias),
    rate: above0('bias_update_speed'),
    tokensPerStep: above0('tokens_per_step'),
    topK: above0('top_k'),
  }
}
