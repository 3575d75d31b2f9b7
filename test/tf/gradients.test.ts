import {
  addLosses,
  applyCapacity,
  auxLoss,
  entropyLoss,
  type LayerConfig,
  type LayerWeights,
  probabilityOrder,
  zLoss,
} from 'moesim'
import { MoELayer, tensorLoss } from 'moesim/tf'
import { describe, expect, test } from 'vitest'
import { expectClose } from '../golden.js'
import { anyWeights } from '../layer/any-layer.js'
import { normalRows } from '../router/run.js'
import { backends, on, tf } from './backends.js'

const router = { numExperts: 4, topK: 2, scoreFunction: 'sigmoid', normalize: true, scale: 1.5 } as const
const base = { hiddenSize: 3, expertWidth: 2, router, gated: true, activation: 'silu' } as const

const layers: [string, LayerConfig][] = [
  ['SwiGLU', base],
  ['GeGLU', { ...base, activation: 'gelu', sharedWidth: 4, sharedGate: true }],
  ['GeGLU by tanh', { ...base, activation: 'gelu_tanh', latentWidth: 2 }],
  ['ungated relu2', { ...base, activation: 'relu2', gated: false, sharedWidth: 4 }],
  ['ungated relu', { ...base, activation: 'relu', gated: false, correctionBias: true }],
  ['the clamped gate', { ...base, activation: 'swigluoai', expertBiases: true, routerBias: true }],
  ['weights on the input', { ...base, weighInput: true }],
  ['a softmax before top-k', { ...base, router: { ...router, scoreFunction: 'softmax', normalize: false } }],
  [
    'a softmax after top-k',
    { ...base, router: { ...router, scoreFunction: 'softmax', softmaxOrder: 'afterTopK' } },
  ],
  ['square roots of softplus', { ...base, router: { ...router, scoreFunction: 'sqrtsoftplus' } }],
]

const tokens = 5
const loss = (logits: Float32Array) => {
  const options = { numExperts: 4, topK: 2, scoreFunction: 'sigmoid' } as const
  return addLosses([
    auxLoss(logits, { ...options, coefficient: 0.5 }),
    zLoss(logits, { numExperts: 4, coefficient: 0.1 }),
  ])
}

/** Directional derivatives: one number for each weight, and for the input, that a wrong gradient would miss. */
describe.each(backends)('on the %s backend, gradients are those of central differences', (backend) => {
  test.each(layers)('%s', async (_, config) => {
    await on(backend, () =>
      tf.tidy(() => {
        const layer = new MoELayer(config, {
          loss,
          capacity: (routing) => applyCapacity(routing, { capacity: 2, order: probabilityOrder(routing) }),
        })
        const weights = anyWeights(config)
        layer.setWeights(weights)
        const input = normalRows(tokens, 3, 50)
        const coefficients = tf.tensor2d(normalRows(tokens, 3, 51), [tokens, 3])
        const total = (x: unknown) => {
          const { output, auxLoss } = layer.apply(x as never)
          return tf.add(tf.sum(tf.mul(output, coefficients)), auxLoss).asScalar()
        }
        const of = (values: Float32Array): number => total(tf.tensor2d(values, [tokens, 3])).dataSync()[0]
        const chosen = () => layer.apply(tf.tensor2d(input, [tokens, 3])).routing.experts
        const before = chosen()

        const { grads } = tf.variableGrads(() => total(tf.tensor2d(input, [tokens, 3])))
        const pulls: Record<string, Float32Array> = {
          input: tf
            .grad(total as never)(tf.tensor2d(input, [tokens, 3]))
            .dataSync() as Float32Array,
        }
        for (const [name, variable] of Object.entries(layer.variables)) {
          pulls[name] = grads[variable.name].dataSync() as Float32Array
        }
        for (const [name, pull] of Object.entries(pulls)) {
          const values = name === 'input' ? input : weights[name as keyof LayerWeights]!
          const direction = normalRows(1, values.length, 7)
          const step = 1 / 512
          const at = (sign: number): number => {
            const moved = values.map((value, i) => value + sign * step * direction[i])
            if (name === 'input') return of(moved)
            layer.setWeights({ ...weights, [name]: moved })
            const value = of(input)
            expect(chosen(), `${name}: the choice must not change on the way`).toEqual(before)
            layer.setWeights(weights)
            return value
          }
          const slope = (at(1) - at(-1)) / (2 * step)
          const wanted = pull.reduce((sum, value, i) => sum + value * direction[i], 0)
          expectClose([wanted], [slope], { abs: 5e-3, rel: 5e-3 }, name)
        }
        layer.dispose()
      }),
    )
  })

  test('of a loss of the core, times what comes down to it', async () => {
    await on(backend, () =>
      tf.tidy(() => {
        const logits = normalRows(6, 4)
        const x = tf.tensor2d(logits, [6, 4])
        const pull = (f: unknown) =>
          tf
            .grad(f as never)(x)
            .dataSync() as Float32Array
        for (const core of [loss, (z: Float32Array) => entropyLoss(z, { numExperts: 4 })]) {
          const { value, gradient } = core(logits)
          const onTensors = tensorLoss(core)
          expectClose(onTensors(x).dataSync(), [value], { rel: 1e-6 }, 'value')
          expect(pull(onTensors)).toEqual(gradient)
          expect(pull((z: typeof x) => tf.mul(onTensors(z), 2))).toEqual(gradient.map((value) => 2 * value))
        }
      }),
    )
  })
})
