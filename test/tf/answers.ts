import { forwardLayer, type LayerConfig, type LayerWeights, type WeightName } from 'moesim'
import { MoELayer, type Tf } from 'moesim/tf'

export interface Question {
  config: LayerConfig
  weights: LayerWeights
  hidden: Float32Array
  /** [T, D] the gradient is that of Σ output · coefficients. */
  coefficients: Float32Array
}

export interface Answers {
  logits: Float32Array
  experts: Int32Array
  weights: Float32Array
  load: Int32Array
  output: Float32Array
  /** The same, of a pass with gradients: where there are none, the core may compute it. */
  taped: Float32Array
  scalar: Float32Array
  gradInput: Float32Array
  gradients: { [name in WeightName]?: Float32Array }
  /** The output of the core's typed-array layer. */
  core: Float32Array
  leaked: number
}

/** Forward and backward of a layer on the backend that is set, in Node or in a page. */
export function answers(tf: Tf, { config, weights, hidden, coefficients }: Question): Answers {
  const shape: [number, number] = [hidden.length / config.hiddenSize, config.hiddenSize]
  const before = tf.memory().numTensors
  const answers = tf.tidy(() => {
    const layer = new MoELayer(config, { tf })
    layer.setWeights(weights)
    const { output, logits, routing, load } = layer.apply(tf.tensor2d(hidden, shape))
    let taped = new Float32Array() as Float32Array
    const scalar = (x: unknown) => {
      const { output } = layer.apply(x as never)
      taped = output.dataSync() as Float32Array
      return tf.sum(tf.mul(output, tf.tensor2d(coefficients, shape))).asScalar()
    }
    const { value, grads } = tf.variableGrads(() => scalar(tf.tensor2d(hidden, shape)))
    const gradInput = tf.grad(scalar as never)(tf.tensor2d(hidden, shape))
    const gradients = Object.entries(layer.variables).map(([name, variable]) => [
      name,
      grads[variable.name].dataSync(),
    ])
    layer.dispose()
    return {
      logits: logits.dataSync() as Float32Array,
      experts: routing.experts,
      weights: routing.weights,
      load,
      output: output.dataSync() as Float32Array,
      taped,
      scalar: value.dataSync() as Float32Array,
      gradInput: gradInput.dataSync() as Float32Array,
      gradients: Object.fromEntries(gradients),
      core: forwardLayer(hidden, routing, weights, config),
    }
  })
  return { ...answers, leaked: tf.memory().numTensors - before }
}
