import {
  float32Of,
  forwardLayer,
  type LayerWeights,
  layerTensors,
  routeLayer,
  type Tensor,
  weightShapes,
} from 'moesim'
import { MoELayer } from 'moesim/tf'
import { describe, expect, test } from 'vitest'
import { expectClose, type Golden } from '../golden.js'
import { layerCase, layerCases } from '../layer/cases.js'
import { backends, leaked, on, tf } from './backends.js'

describe.each(backends)('on the %s backend', (backend) => {
  test.each(layerCases)('%s: forward and backward are the recorded ones', async (name) => {
    const file = layerCase(name)
    const { config, weights, hidden, layout, matches } = file
    const { tokens } = routeLayer(hidden, weights, config)
    const shape: [number, number] = [tokens, config.hiddenSize]
    const run = () => {
      const layer = new MoELayer(config)
      layer.setWeights(weights)
      const x = tf.tensor2d(hidden, shape)
      const coefficients = tf.tensor2d(file.floats(file.inputs.outputCoefficients), shape)
      const result = layer.apply(x)
      matches('routerLogits', result.logits.dataSync())
      matches('indices', result.routing.experts)
      matches('weights', result.routing.weights)
      matches('tokensPerExpert', result.load)
      matches('output', result.output.dataSync())
      const core = forwardLayer(hidden, result.routing, weights, config)
      expectClose(result.output.dataSync(), core, { abs: 1e-5, rel: 1e-5 }, 'the core')

      const scalar = (input: typeof x) => tf.sum(tf.mul(layer.apply(input).output, coefficients)).asScalar()
      const { value, grads } = tf.variableGrads(() => scalar(x))
      const [wanted, tolerances] = [file.expected.scalar, file.tolerance.scalar] as unknown as [
        number,
        object,
      ]
      expectClose(value.dataSync(), [wanted], tolerances, 'scalar')
      matches(
        'gradInput',
        tf
          .grad(scalar as (x: unknown) => never)(x)
          .dataSync(),
      )
      const pulls: Record<string, Float32Array> = {}
      for (const [weight, size] of Object.entries(weightShapes(config))) {
        const variable = layer.variables[weight as keyof LayerWeights]
        pulls[weight] = variable
          ? (grads[variable.name].dataSync() as Float32Array)
          : new Float32Array(size[0]) // the correction bias, which has no gradient
      }
      matchesParameters(file, new Map(layerTensors(pulls, config, { layout })))
      layer.dispose()
    }
    expect(await on(backend, () => leaked(() => tf.tidy(run)))).toBe(0)
  })
})

/** Gradients by Hugging Face's names; of the routed experts one is recorded. */
function matchesParameters(file: ReturnType<typeof layerCase>, pulls: ReadonlyMap<string, Tensor>): void {
  const recorded = file.expected.gradParameters as unknown as Golden['expected']
  const tolerances = file.tolerance.gradParameters as unknown as Golden['tolerance']
  const expert = file.params.gradientExpert as number
  expect(Object.keys(recorded).length).toBeGreaterThan(3)
  for (const [name, stored] of Object.entries(recorded)) {
    const whole = float32Of(pulls.get(name)!)
    const wanted = file.floats(stored)
    const own = name.startsWith('experts.')
      ? whole.subarray(expert * wanted.length, (expert + 1) * wanted.length)
      : whole
    expectClose(own, wanted, tolerances[name], name)
  }
}
