import { auxLoss, biasBalance, type LayerConfig } from 'moesim'
import { moeLayer } from 'moesim/tf'
import { describe, expect, test } from 'vitest'
import { expectClose } from '../golden.js'
import { normalRows } from '../router/run.js'
import { on, tf } from './backends.js'

const router = { numExperts: 4, topK: 2, scoreFunction: 'sigmoid', normalize: true, scale: 1 } as const
const config: LayerConfig = {
  hiddenSize: 3,
  expertWidth: 4,
  router,
  gated: true,
  activation: 'silu',
  correctionBias: true,
}
const rows = (tokens: number) => tf.tensor2d(normalRows(tokens, 3), [tokens, 3])

describe('moeLayer in tf.sequential', () => {
  test('is the layer itself, on tokens of any shape, and stacks', async () => {
    await on('wasm', () => {
      const [first, second] = [moeLayer(config), moeLayer(config, { seed: 1, name: 'second' })]
      const model = tf.sequential({
        layers: [tf.layers.inputLayer({ inputShape: [2, 3] }), first, second],
      })
      expect(second.name).toBe('second')
      expect(model.countParams()).toBe(2 * (4 * 3 + 3 * 4 * 4 * 3))
      const before = tf.memory().numTensors
      tf.tidy(() => {
        const x = rows(8)
        const output = model.predict(tf.reshape(x, [4, 2, 3])) as typeof x
        expect(output.shape).toEqual([4, 2, 3])
        const inner = first.moe.apply(x, { training: false }).output
        const outer = second.moe.apply(inner, { training: false }).output
        expectClose(output.dataSync(), outer.dataSync(), 'exact', 'output')
      })
      expect(tf.memory().numTensors).toBe(before)
      expect(first.moe.steps).toBe(0)
      model.dispose()
    })
  })

  test('learns by fit, with its auxiliary loss in the loss, and a bias that a callback moves', async () => {
    await on('wasm', async () => {
      const coefficient = 0.5
      const options = { numExperts: 4, topK: 2, scoreFunction: 'sigmoid' } as const
      const layer = moeLayer(config, {
        balance: biasBalance({ rate: 1e-2 }),
        loss: (logits) => auxLoss(logits, { ...options, coefficient }),
      })
      const model = tf.sequential({ layers: [tf.layers.inputLayer({ inputShape: [3] }), layer] })
      model.compile({ optimizer: tf.train.sgd(0), loss: 'meanSquaredError' })
      const [x, y] = [rows(16), tf.zeros([16, 3])]
      const wanted = tf.tidy(() => {
        const { output, auxLoss } = layer.moe.apply(x as never, { training: false })
        return tf.mean(tf.square(output)).dataSync()[0] + auxLoss.dataSync()[0]
      })
      const train = (epochs: number) =>
        model.fit(x, y, {
          epochs,
          batchSize: 16,
          shuffle: false,
          verbose: 0,
          callbacks: { onBatchEnd: async () => layer.moe.updateBias() },
        })
      const { history } = await train(1)
      expectClose([history.loss[0] as number], [wanted], { rel: 1e-5 }, 'loss')
      expect(layer.moe.steps).toBe(1)
      expect(layer.moe.bias.some((value) => value !== 0)).toBe(true)

      const before = tf.memory().numTensors
      await train(3)
      expect(tf.memory().numTensors).toBe(before)
      model.compile({ optimizer: tf.train.adam(0.05), loss: 'meanSquaredError' })
      const losses = (await train(30)).history.loss as number[]
      expect(losses[29]).toBeLessThan(losses[0] * 0.8)
      model.dispose()
      tf.dispose([x, y])
    })
  })

  test('another width, and a layer that is in no model yet, are refused', async () => {
    await on('wasm', () => {
      expect(() => moeLayer(config).moe).toThrow(/the layer must be part of a model.*Add it to one first/)
      const input = tf.layers.inputLayer({ inputShape: [6] })
      expect(() => tf.sequential({ layers: [input, moeLayer(config)] })).toThrow(
        /last axis of the input must be 3 wide, got 6/,
      )
    })
  })
})
