import {
  biasBalance,
  forwardLayer,
  jitter,
  type LayerConfig,
  routeLayer,
  routerLogits,
  type StepContext,
  streams,
} from 'moesim'
import { MoELayer } from 'moesim/tf'
import { describe, expect, test } from 'vitest'
import { expectClose } from '../golden.js'
import { anyWeights } from '../layer/any-layer.js'
import { normalRows } from '../router/run.js'
import { backends, on, tf } from './backends.js'

const router = { numExperts: 4, topK: 2, scoreFunction: 'sigmoid', normalize: true, scale: 1.5 } as const
const config: LayerConfig = {
  hiddenSize: 3,
  expertWidth: 2,
  router,
  gated: true,
  activation: 'silu',
  correctionBias: true,
}
const tokens = 6
const hidden = normalRows(tokens, 3, 50)
const rows = () => tf.tensor2d(hidden, [tokens, 3])
const weights = anyWeights(config)
const context = (step: number, layer: number): StepContext => ({
  step,
  layer,
  tokens,
  random: streams('jitters'),
})

describe.each(backends)('jitter on the %s backend', (backend) => {
  test('of the input is the core’s, of the layer’s seed, index and step, and the router’s alone', async () => {
    await on(backend, () =>
      tf.tidy(() => {
        const layer = new MoELayer(config, { seed: 'jitters', index: 3, inputJitter: 0.2 })
        layer.setWeights(weights)
        for (const step of [0, 1]) {
          const { logits, routing, output } = layer.apply(rows())
          const read = jitter(0.2)(hidden.slice(), 3, context(step, 3))
          expect(read.every((x, i) => Math.abs(x / hidden[i] - 1) <= 0.2000001)).toBe(true)
          expect(read).not.toEqual(hidden)
          expectClose(logits.dataSync(), routerLogits(read, weights.router!, 4), { abs: 1e-5 }, 'logits')
          const unshaken = forwardLayer(hidden, routing, weights, config)
          expectClose(output.dataSync(), unshaken, { abs: 1e-5 }, 'output')
        }
        layer.dispose()
      }),
    )
  })

  test('is off in evaluation, which routes as the core does and does not move the stream on', async () => {
    await on(backend, () =>
      tf.tidy(() => {
        const options = { inputJitter: 0.2, outputJitter: 0.2, balance: biasBalance({ rate: 0.1 }) }
        const [layer, other] = [new MoELayer(config, options), new MoELayer(config, options)]
        const evaluated = layer.apply(rows(), { training: false })
        expect(evaluated.routing.experts).toEqual(routeLayer(hidden, layer.weights(), config).experts)
        const [first, same] = [layer, other].map((each) => [...each.apply(rows()).logits.dataSync()])
        expect(first).toEqual(same)
        expect(first).not.toEqual([...evaluated.logits.dataSync()])
        layer.dispose()
        other.dispose()
      }),
    )
  })

  test('is a constant to the gradient: central differences agree on the logits', async () => {
    await on(backend, () =>
      tf.tidy(() => {
        const factors = tf.tensor2d(normalRows(tokens, 4, 51), [tokens, 4])
        /** A layer anew, so that every call is step 0 and draws the same. */
        const total = (x: unknown) => {
          const layer = new MoELayer(config, { inputJitter: 0.2, outputJitter: 0.1 })
          const value = tf.sum(tf.mul(layer.apply(x as never).logits, factors)).asScalar()
          layer.dispose()
          return value
        }
        const pull = tf
          .grad(total as never)(rows() as never)
          .dataSync() as Float32Array
        const direction = normalRows(1, pull.length, 7)
        const at = (sign: number): number => {
          const moved = hidden.map((x, i) => x + (sign / 64) * direction[i])
          return total(tf.tensor2d(moved, [tokens, 3])).dataSync()[0]
        }
        const wanted = pull.reduce((sum, x, i) => sum + x * direction[i], 0)
        expectClose([wanted], [32 * (at(1) - at(-1))], { abs: 1e-4, rel: 1e-3 }, 'slope')
      }),
    )
  })
})
