import {
  type BiasState,
  biasBalance,
  type LayerConfig,
  layerOf,
  loadOf,
  quantileBalance,
  replayRouter,
  routeInPrecision,
  streams,
  tinyNemotronH,
} from 'moesim'
import { MoELayer } from 'moesim/tf'
import { describe, expect, test } from 'vitest'
import { expectClose } from '../golden.js'
import { anyWeights } from '../layer/any-layer.js'
import { normalRows } from '../router/run.js'
import { backends, leaked, on, tf } from './backends.js'

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
const values = normalRows(tokens, 3, 50)
const rows = () => tf.tensor2d(values, [tokens, 3])
/** The best and the worst expert of each token, and an empty slot: what the layer itself would not choose. */
const experts = Int32Array.of(3, 0, 1, 2, 2, 0, 0, -1, -1, -1, 3, 1)

describe.each(backends)('router replay on the %s backend', (backend) => {
  test('uses the experts given, weighed by the present logits as replayRouter weighs them', async () => {
    await on(backend, () => {
      const layer = new MoELayer(config)
      layer.setWeights(anyWeights(config))
      const check = () => {
        const { logits, routing, load } = layer.apply(rows(), { experts })
        expect(routing.experts).toEqual(experts)
        const recorded = () => ({ tokens, topK: 2, numExperts: 4, experts })
        const batch = { tokens, logits: logits.dataSync() as Float32Array }
        const context = { step: 0, layer: 0, tokens, random: streams(0) }
        expect(routing).toEqual(replayRouter(router, recorded)(batch, layer.bias, context))
        expect(load).toEqual(loadOf(routing))
        const own = layer.apply(rows())
        const replayed = layer.apply(rows(), { experts: own.routing.experts })
        expect(replayed.routing.weights).toEqual(own.routing.weights)
        expect(replayed.output.dataSync()).toEqual(own.output.dataSync())
      }
      expect(leaked(() => tf.tidy(check))).toBe(0)
      layer.dispose()
    })
  })

  test('gradients reach the router, the experts and the input through the weights: central differences', async () => {
    await on(backend, () =>
      tf.tidy(() => {
        const layer = new MoELayer(config)
        const weights = anyWeights(config)
        layer.setWeights(weights)
        const factors = tf.tensor2d(normalRows(tokens, 3, 51), [tokens, 3])
        const total = (x: unknown) =>
          tf.sum(tf.mul(layer.apply(x as never, { experts }).output, factors)).asScalar()
        const { grads } = tf.variableGrads(() => total(rows()))
        const pulls = {
          router: grads[layer.variables.router!.name],
          upProj: grads[layer.variables.upProj!.name],
          input: tf.grad(total as never)(rows() as never),
        }
        for (const [name, tensor] of Object.entries(pulls)) {
          const pull = tensor.dataSync() as Float32Array
          const direction = normalRows(1, pull.length, 7)
          const at = (sign: number): number => {
            const move = (from: Float32Array) => from.map((x, i) => x + (sign / 512) * direction[i])
            if (name === 'input') return total(tf.tensor2d(move(values), [tokens, 3])).dataSync()[0]
            layer.setWeights({ ...weights, [name]: move(weights[name as 'router']!) })
            const value = total(rows()).dataSync()[0]
            layer.setWeights(weights)
            return value
          }
          const wanted = pull.reduce((sum, x, i) => sum + x * direction[i], 0)
          expectClose([wanted], [256 * (at(1) - at(-1))], { abs: 5e-3, rel: 5e-3 }, name)
          expect(pull.some((x) => x !== 0)).toBe(true)
        }
        layer.dispose()
      }),
    )
  })

  test('a frozen router under replay stays, the experts learn, and the bias moves by the load replayed', async () => {
    await on(backend, () => {
      const balance = biasBalance({ rate: 0.01 })
      const layer = new MoELayer<BiasState>(config, { balance })
      const before = layer.weights()
      layer.freeze('router')
      const optimizer = tf.train.sgd(0.1)
      optimizer.minimize(() => tf.sum(layer.apply(rows(), { experts }).output).asScalar())
      optimizer.minimize(() => tf.sum(layer.apply(rows(), { experts }).output).asScalar())
      layer.updateBias()
      const after = layer.weights()
      expect(after.router).toEqual(before.router)
      expect(after.upProj).not.toEqual(before.upProj)
      const load = new Int32Array(4)
      for (const expert of experts) if (expert >= 0) load[expert] += 2
      expect(layer.bias).toEqual(balance.bias(balance.update(balance.init(4), load)))
      layer.freeze('correctionBias')
      const still = layer.bias
      tf.tidy(() => void layer.apply(rows(), { experts }))
      layer.updateBias()
      expect(layer.bias).toEqual(still)
      layer.dispose()
      optimizer.dispose()
    })
  })
})

test('a rollout router in bf16 or fp8, replayed, is followed by every token', async () => {
  await on('wasm', () =>
    tf.tidy(() => {
      const own = layerOf(tinyNemotronH)
      const layer = new MoELayer(own)
      const x = tf.tensor2d(normalRows(32, own.hiddenSize), [32, own.hiddenSize])
      const { logits } = layer.apply(x)
      for (const format of ['bf16', 'fp8-e4m3'] as const) {
        const precision = { logits: format, keys: format }
        const rollout = routeInPrecision(logits.dataSync() as Float32Array, own.router, precision, layer.bias)
        const { routing } = layer.apply(x, { experts: rollout.experts })
        expect(routing.experts).toEqual(rollout.experts)
        expectClose(routing.weights, rollout.weights, { abs: 0.1 }, 'weights')
      }
      layer.dispose()
    }),
  )
})

test('refuses experts that do not fit, and a rule that would need the scores of a choice that was none', async () => {
  await on('wasm', () =>
    tf.tidy(() => {
      const layer = new MoELayer(config, { balance: quantileBalance() })
      const apply = (given: Int32Array) => layer.apply(rows(), { experts: given })
      expect(() => apply(experts.slice(2))).toThrow(/experts must hold topK = 2 for each of 6 tokens/)
      expect(() => apply(experts.map(() => 4))).toThrow(
        /experts of token 0 must be from 0 to 3, or −1, got 4/,
      )
      expect(() => apply(experts.map(() => 1))).toThrow(/experts of token 0 must be distinct/)
      apply(experts)
      expect(() => layer.updateBias()).toThrow(/the router must tell the scores/)
      layer.dispose()
    }),
  )
})
