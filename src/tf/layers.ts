import type { layers, Scalar, Shape, Tensor, Tensor2D } from '@tensorflow/tfjs'
import { demand, type LayerConfig } from '../index.js'
import { MoELayer } from './layer.js'
import type { MoELayerOptions } from './options.js'
import { installed } from './tfjs.js'

/** A layer for `tf.sequential` and `tf.model`, around a `MoELayer`. */
export type MoETfLayer<State> = layers.Layer & {
  /** The layer itself, once a model has been made of it: for `updateBias`, `freeze`, `load` and `save`. */
  readonly moe: MoELayer<State>
}

/**
 * The mixture-of-experts layer as a tf.layers.Layer: [..., D] in, [..., D] out, each last axis a token. `fit` trains its
 * weights and adds its auxiliary loss; move the bias from a callback, `onBatchEnd: () => layer.moe.updateBias()`. Weights
 * are saved and loaded by `moe.save` and `moe.load`, since a rule and a loss are functions that a model file cannot hold.
 */
export function moeLayer<State = Float32Array>(
  config: LayerConfig,
  options: Omit<MoELayerOptions<State>, 'variable'> & { readonly name?: string } = {},
): MoETfLayer<State> {
  const { name, ...rest } = options
  const tf = options.tf ?? installed

  class MixtureOfExperts extends tf.layers.Layer {
    static readonly className = 'MixtureOfExperts'
    #moe: MoELayer<State> | undefined
    #auxLoss: Scalar | undefined

    get moe(): MoELayer<State> {
      demand(
        this.#moe !== undefined,
        'moeLayer: the layer must be part of a model',
        this.#moe,
        'Add it to one first.',
      )
      return this.#moe
    }

    override build(inputShape: Shape | Shape[]): void {
      const width = inputShape.at(-1)
      demand(
        width === config.hiddenSize,
        `moeLayer: the last axis of the input must be ${config.hiddenSize} wide`,
        width,
        'Make hiddenSize the width of the layer before.',
      )
      this.#moe = new MoELayer(config, {
        ...rest,
        variable: (weight, value) => {
          const initializer = { apply: () => value.clone() } as never
          return this.addWeight(weight, value.shape, 'float32', initializer).read() as never
        },
      })
      super.build(inputShape)
    }

    override computeOutputShape(inputShape: Shape | Shape[]): Shape | Shape[] {
      return inputShape
    }

    override call(inputs: Tensor | Tensor[], { training = false }: { training?: boolean } = {}): Tensor {
      const x = Array.isArray(inputs) ? inputs[0] : inputs
      const rows = tf.reshape(x, [-1, config.hiddenSize]) as Tensor2D
      const { output, logits, auxLoss } = this.moe.apply(rows, { training })
      const result = tf.reshape(output, x.shape)
      if (!training) tf.dispose([auxLoss])
      this.#auxLoss = training ? auxLoss : undefined
      tf.dispose([rows, logits, output])
      return result
    }

    /** What `fit` adds to the loss: the auxiliary loss of the batch that has just gone through. */
    override calculateLosses(): Scalar[] {
      return this.#auxLoss ? [this.#auxLoss] : []
    }
  }
  return new MixtureOfExperts(name === undefined ? {} : { name })
}
