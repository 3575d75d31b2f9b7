import fc from 'fast-check'
import { type LayerConfig, type LayerWeights, weightShapes } from 'moesim'
import { normalRows } from '../router/run.js'

export const router = {
  numExperts: 5,
  topK: 2,
  scoreFunction: 'sigmoid',
  normalize: true,
  scale: 1.5,
} as const

/** Any layer of five small experts. */
export const configs: fc.Arbitrary<LayerConfig> = fc
  .record({
    activation: fc.constantFrom('relu', 'relu2', 'silu', 'gelu', 'gelu_tanh', 'swigluoai'),
    gated: fc.boolean(),
    expertBiases: fc.boolean(),
    routerBias: fc.boolean(),
    correctionBias: fc.boolean(),
    latentWidth: fc.constantFrom(0, 2),
    sharedWidth: fc.constantFrom(0, 4),
    sharedGate: fc.boolean(),
    weighInput: fc.boolean(),
  })
  .map((choice) => ({
    hiddenSize: 3,
    expertWidth: 2,
    router,
    ...choice,
    gated: choice.gated || choice.activation === 'swigluoai',
    sharedGate: choice.sharedGate && choice.sharedWidth > 0,
  }))

/** Random weights, biases too. */
export function anyWeights(config: LayerConfig): LayerWeights {
  return Object.fromEntries(
    Object.entries(weightShapes(config)).map(([name, shape], i) => [
      name,
      normalRows(
        1,
        shape.reduce((size, length) => size * length, 1),
        i,
      ),
    ]),
  )
}
