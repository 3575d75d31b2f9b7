import { forwardLayer, type LayerConfig, routeLayer } from 'moesim'
import { MoELayer } from 'moesim/tf'
import { describe, expect, test } from 'vitest'
import { anyWeights } from '../layer/any-layer.js'
import { normalRows } from '../router/run.js'
import { backends, leaked, on, tf } from './backends.js'

const router = { numExperts: 4, topK: 2, scoreFunction: 'sigmoid', normalize: true, scale: 1.5 } as const
const base = { hiddenSize: 3, expertWidth: 2, router, gated: true, activation: 'silu' } as const
const config: LayerConfig = { ...base, correctionBias: true, sharedWidth: 4, latentWidth: 2 }
const hidden = normalRows(9, 3)
const rows = () => tf.tensor2d(hidden, [9, 3])

describe.each(backends)('a forward pass without gradients on the %s backend', (backend) => {
  /** Three passes: before the weights are held, when they are packed, and with those that are. */
  function expectCore(layer: MoELayer, own = config): void {
    const weights = layer.weights()
    const { correctionBias, ...others } = weights
    const wanted = forwardLayer(hidden, routeLayer(hidden, weights, own), weights, own)
    expect(Object.keys(others)).toEqual(Object.keys(layer.variables))
    for (const training of [false, true, false]) {
      const { output, routing } = layer.apply(rows(), { training })
      expect(routing.experts).toEqual(routeLayer(hidden, weights, own).experts)
      expect(output.dataSync()).toEqual(wanted)
    }
  }

  test('is that of the core to the last bit, by the weights of the moment, however they came to be', async () => {
    await on(backend, () => {
      const body = () => {
        const layer = new MoELayer(config)
        const optimizer = tf.train.sgd(0.1)
        const step = () => optimizer.minimize(() => tf.sum(tf.square(layer.apply(rows()).output)).asScalar())
        expectCore(layer)
        step()
        expectCore(layer)
        layer.setWeights(anyWeights(config))
        expectCore(layer)
        layer.freeze('upProj', 'sharedUpProj', 'latentUp', 'gateProj', 'sharedGateProj', 'latentDown')
        step() // moves the others
        expectCore(layer)
        optimizer.dispose()
        layer.dispose()
      }
      expect(leaked(() => tf.tidy(body))).toBe(0)
    })
  })

  test('weighs inputs, and takes experts chosen elsewhere', async () => {
    await on(backend, () =>
      tf.tidy(() => {
        const own = { ...base, weighInput: true, expertBiases: true, routerBias: true }
        const layer = new MoELayer(own)
        layer.setWeights(anyWeights(own))
        expectCore(layer, own)
        const experts = new Int32Array(18).map((_, slot) => (slot % 2 === 0 ? 3 : slot % 3 === 0 ? -1 : 1))
        const { output, routing } = layer.apply(rows(), { experts })
        expect(output.dataSync()).toEqual(forwardLayer(hidden, routing, layer.weights(), own))
        layer.dispose()
      }),
    )
  })

  test('goes between passes with gradients, which are the same after it as before', async () => {
    await on(backend, () =>
      tf.tidy(() => {
        const layer = new MoELayer(config)
        const pulls = () => {
          const { grads } = tf.variableGrads(() => tf.sum(layer.apply(rows()).output).asScalar())
          return Object.values(grads).map((tensor) => [...tensor.dataSync()])
        }
        const before = pulls()
        expectCore(layer)
        expect(pulls()).toEqual(before)
        layer.dispose()
      }),
    )
  })
})
