import {
  applyCapacity,
  auxLoss,
  biasBalance,
  forwardLayer,
  InputError,
  type LayerConfig,
  layerOf,
  layerTensors,
  loadOf,
  quantileBalance,
  type Routing,
  readSafetensors,
  renormalize,
  routeLayer,
  tinyNemotronH,
  tokenMajorOrder,
  weightLayouts,
} from 'moesim'
import { MoELayer, type MoELayerOptions } from 'moesim/tf'
import { describe, expect, test, vi } from 'vitest'
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
  sharedWidth: 4,
}
const sizes = [0, 1, 7]
const rows = (tokens: number) => tf.tensor2d(normalRows(tokens, 3), [tokens, 3])

describe.each(backends)('on the %s backend', (backend) => {
  test.each(
    [
      {},
      { latentWidth: 2, weighInput: true },
      { expertBiases: true, routerBias: true, sharedGate: true },
    ].flatMap((more) =>
      sizes.flatMap((tokens) => [Infinity, 1, 0].map((capacity) => ({ more, tokens, capacity }))),
    ),
  )(
    '$tokens tokens, capacity $capacity, $more: the core’s answer, and a gradient for every weight',
    async (c) => {
      const own = { ...config, ...c.more }
      const run = () => {
        const layer = new MoELayer(own, {
          capacity: (free) => applyCapacity(free, { capacity: c.capacity, order: tokenMajorOrder(free) }),
          loss: (logits) => auxLoss(logits, { numExperts: 4, topK: 2, scoreFunction: 'sigmoid' }),
        })
        const { output, routing, load } = layer.apply(rows(c.tokens))
        const hidden = normalRows(c.tokens, 3)
        expect(output.shape).toEqual([c.tokens, 3])
        expectClose(
          output.dataSync(),
          forwardLayer(hidden, routing, layer.weights(), own),
          { abs: 1e-5 },
          'output',
        )
        expect(load).toEqual(loadOf(routing))
        const { grads } = tf.variableGrads(() => {
          const { output, auxLoss } = layer.apply(rows(c.tokens))
          return tf.add(tf.sum(output), auxLoss).asScalar()
        })
        for (const variable of Object.values(layer.variables)) {
          const pull = grads[variable.name]
          expect(pull.shape).toEqual(variable.shape)
          expect(pull.dataSync().every(Number.isFinite)).toBe(true)
        }
        layer.dispose()
      }
      expect(await on(backend, () => leaked(() => tf.tidy(run)))).toBe(0)
    },
  )

  test('training lowers the loss, and frees all when it is over', async () => {
    await on(backend, () => {
      const optimizer = tf.train.adam(0.05)
      const layer = new MoELayer(config, { balance: biasBalance({ rate: 1e-3 }) })
      const [x, y] = [rows(8), tf.tidy(() => tf.sin(tf.mul(rows(8), 2)))]
      const error = (training: boolean) =>
        tf.losses.meanSquaredError(y, layer.apply(x, { training }).output).asScalar()
      const before = tf.tidy(() => error(false).dataSync()[0])
      for (let step = 0; step < 60; step++) {
        optimizer.minimize(() => error(true))
        layer.updateBias()
      }
      expect(layer.steps).toBe(60)
      expect(tf.tidy(() => error(false).dataSync()[0])).toBeLessThan(before / 2)
      expect(leaked(() => layer.dispose())).toBe(-Object.keys(layer.variables).length)
      optimizer.dispose()
      tf.dispose([x, y])
    })
  })
})

test('1,000 steps of training leave no tensor behind', async () => {
  await on('wasm', () => {
    const few = { ...router, numExperts: 2, topK: 1 }
    const own = { hiddenSize: 3, expertWidth: 2, router: few, gated: false, activation: 'relu2' } as const
    const optimizer = tf.train.sgd(0.01)
    const layer = new MoELayer({ ...own, correctionBias: true }, { balance: biasBalance({ rate: 1e-3 }) })
    const x = rows(4)
    const step = () => {
      optimizer.minimize(() => tf.sum(tf.square(layer.apply(x).output)).asScalar())
      layer.updateBias()
    }
    expect(leaked(() => Array.from({ length: 1000 }, step))).toBe(0)
    layer.dispose()
    optimizer.dispose()
    x.dispose()
  })
})

/** Work with a layer on the wasm backend that leaves nothing behind. */
async function withLayer<State>(
  options: MoELayerOptions<State>,
  body: (layer: MoELayer<State>) => void,
  own: LayerConfig = config,
): Promise<void> {
  await on('wasm', () =>
    tf.tidy(() => {
      const layer = new MoELayer(own, options)
      body(layer)
      layer.dispose()
    }),
  )
}

describe('balance in training', () => {
  test('one update for all micro-batches since the last, by the rule of the core', async () => {
    const balance = biasBalance({ rate: 1e-3 })
    await withLayer({ balance }, (layer) => {
      const loads = [layer.apply(rows(5)).load, layer.apply(rows(7)).load]
      layer.apply(rows(9), { training: false })
      expect(layer.bias).toEqual(new Float32Array(4))
      layer.updateBias()
      const load = loads[0].map((count, e) => count + loads[1][e])
      expect(layer.bias).toEqual(balance.bias(balance.update(balance.init(4), load)))
      expect(layer.balanceState.updates).toBe(1)
      layer.updateBias() // nothing came since: no load is no imbalance
      expect(layer.bias).toEqual(balance.bias(balance.update(balance.init(4), load)))
      const { routing } = layer.apply(rows(9))
      expect(routing.experts).toEqual(routeLayer(normalRows(9, 3), layer.weights(), config).experts)
    })
  })

  const rule = quantileBalance()
  test.each([
    ['of three parameters', rule],
    [
      'of as many as come',
      { ...rule, update: (...given: Parameters<typeof rule.update>) => rule.update(...given) },
    ],
  ])('a rule that looks at scores, %s, sees those of all micro-batches', async (_, balance) => {
    await withLayer({ balance }, (layer) => {
      layer.apply(rows(20))
      layer.apply(rows(20))
      layer.updateBias()
      expect(layer.bias.some((value) => value !== 0)).toBe(true)
    })
  })

  test('a frozen router does not learn while the bias moves; a frozen bias stays while the router learns', async () => {
    await withLayer({ balance: biasBalance({ rate: 0.5 }) }, (layer) => {
      const optimizer = tf.train.sgd(0.1)
      const step = () => {
        const before = layer.weights()
        optimizer.minimize(() => tf.sum(layer.apply(rows(8)).output).asScalar())
        layer.updateBias()
        const after = layer.weights()
        const moved = Object.entries(before).filter(([name, values]) =>
          values.some((value, i) => value !== after[name as keyof typeof after]![i]),
        )
        return moved.map(([name]) => name)
      }
      layer.freeze('router')
      expect(step()).toEqual(expect.arrayContaining(['upProj', 'sharedUpProj', 'correctionBias']))
      expect(step()).not.toContain('router')
      layer.thaw('router')
      layer.freeze('correctionBias')
      expect(step()).toContain('router')
      expect(step()).not.toContain('correctionBias')
      layer.thaw('correctionBias')
      expect(step()).toContain('correctionBias')
      expect(() => layer.freeze('latentUp')).toThrow(/must have the weight to freeze or thaw.*got "latentUp"/)
    })
  })
})

describe('jitter', () => {
  const logits = (options: MoELayerOptions<Float32Array>, training: boolean, calls = 1) => {
    const layer = new MoELayer(config, options)
    const all = Array.from({ length: calls }, () => [...layer.apply(rows(6), { training }).logits.dataSync()])
    layer.dispose()
    return all
  }

  test('changes what the router reads or says, in training only, anew each step, the same for the same seed', async () => {
    await on('wasm', () =>
      tf.tidy(() => {
        const [plain] = logits({}, true)
        for (const noise of [{ inputJitter: 0.1 }, { outputJitter: 0.1 }]) {
          expect(logits(noise, false)[0]).toEqual(plain)
          const [first, second] = logits({ ...noise, seed: 0 }, true, 2)
          expect(first).not.toEqual(plain)
          expect(second).not.toEqual(first)
          expect(logits(noise, true)[0]).toEqual(first)
          expect(logits({ ...noise, index: 1 }, true)[0]).not.toEqual(first)
        }
        const [output] = logits({ outputJitter: 0.1 }, true)
        for (const [i, value] of output.entries()) {
          expect(Math.abs(value / plain[i] - 1)).toBeLessThanOrEqual(0.100001)
        }
      }),
    )
  })
})

describe('weights in and out', () => {
  test.each(Object.entries(weightLayouts))(
    '%s: saved and loaded, they are the same to the last bit',
    async (_, layout) => {
      const own = { ...config, activation: 'swigluoai', expertBiases: true } as const
      await withLayer(
        {},
        (layer) => {
          const weights = anyWeights(own)
          layer.setWeights(weights)
          expect(layer.weights()).toEqual(weights)
          const file = layer.save({ prefix: 'mlp.', layout })
          expect([...readSafetensors(file).tensors.keys()]).toEqual([
            ...layerTensors(weights, own, { prefix: 'mlp.', layout }).keys(),
          ])
          const other = new MoELayer(own, { seed: 2 })
          expect(other.weights()).not.toEqual(weights)
          other.load(file, { prefix: 'mlp.', layout })
          expect(other.weights()).toEqual(weights)
          other.dispose()
        },
        own,
      )
    },
  )

  test('a trained bias goes on under a rule from the state that goes with it, and from no other', async () => {
    await withLayer({ balance: biasBalance({ rate: 0.5 }) }, (layer) => {
      const weights = anyWeights(config)
      expect(() => layer.setWeights(weights)).toThrow(
        /state of the balance rule must give the correction bias/,
      )
      layer.setWeights(weights, { bias: weights.correctionBias!, updates: 0 })
      expect(layer.bias).toEqual(weights.correctionBias)
      layer.apply(rows(7))
      layer.updateBias()
      const steps = layer.bias.map((value, e) => Math.abs(value - weights.correctionBias![e]))
      expect(Math.max(...steps)).toBeCloseTo(0.5, 6)
    })
  })

  test('nothing changes where something does not fit', async () => {
    await withLayer({}, (layer) => {
      const before = layer.weights()
      const { upProj: _, ...missing } = anyWeights(config)
      expect(() => layer.setWeights(missing)).toThrow(InputError)
      expect(layer.weights()).toEqual(before)
    })
  })
})

describe('MoELayer refuses', () => {
  test.each<[string, LayerConfig, MoELayerOptions<never>, RegExp]>([
    ['a bad config', { ...config, expertWidth: 0 }, {}, /expertWidth must be a whole number/],
    [
      'a rule without a bias',
      { ...config, correctionBias: false },
      { balance: biasBalance({ rate: 1 }) as never },
      /a layer with a balance rule must have a correctionBias, got false/,
    ],
    ['jitter that turns signs', config, { inputJitter: 2 }, /epsilon must be from 0 to 1/],
    ['jitter that is none', config, { outputJitter: -1 }, /epsilon must be from 0 to 1/],
    ['an option misspelt', config, { jitter: 0.1 } as object, /the options must have only .*, got "jitter"/],
  ])('%s', (_, own, options, rule) => {
    const before = tf.memory().numTensors
    expect(() => new MoELayer(own, options)).toThrow(rule)
    expect(tf.memory().numTensors).toBe(before)
  })

  test('tokens of another width, logits that are no numbers, and a capacity that changes weights', async () => {
    await withLayer({}, (layer) => {
      expect(() => layer.apply(tf.zeros([2, 4]))).toThrow(/the input must be \[tokens, 3\], got "\[2,4\]"/)
      expect(() => layer.apply(tf.tensor2d([[0, Number.NaN, 0]]))).toThrow(/logit of token 0 for expert 0/)
    })
    const half = (free: Routing) =>
      renormalize(applyCapacity(free, { capacity: 3, order: tokenMajorOrder(free) }))
    await withLayer({ capacity: half }, (layer) => {
      expect(() => layer.apply(rows(7))).toThrow(/capacity must keep the experts and weights/)
    })
  })
})

describe('the caller’s own tfjs', () => {
  test('is used, with blocks where tensors live on a GPU; half floats of WebGL are told of, once', async () => {
    await on('wasm', () => {
      const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
      const env = () => ({ getBool: () => false })
      const own = { ...tf, getBackend: () => 'webgl', env } as unknown as typeof tf
      tf.tidy(() => {
        const layer = new MoELayer(config, { tf: own })
        const plain = new MoELayer(config)
        const pulls = [layer, plain].map((each) => {
          const pull = tf.grad((x: unknown) => tf.sum(each.apply(x as never).output).asScalar() as never)
          return [each.apply(rows(4)).output, pull(rows(4))].flatMap((tensor) => [...tensor.dataSync()])
        })
        expectClose(pulls[0], pulls[1], { abs: 1e-6 }, 'output and gradient')
        layer.dispose()
        plain.dispose()
      })
      expect(warn.mock.calls).toEqual([[expect.stringMatching(/16-bit floats only.*use the wasm backend/)]])
      warn.mockRestore()
    })
  })
})

test('the trained model: its three layers choose as the core does', async () => {
  const { readFileSync } = await import('node:fs')
  const read = (file: string) =>
    readFileSync(new URL(`../../examples/data/${file}.safetensors`, import.meta.url))
  const { readTrace } = await import('moesim')
  const trace = readTrace(read('trace'))
  const tiny = layerOf(tinyNemotronH)
  await withLayer(
    {},
    (layer) => {
      for (const { index, hidden, experts, weights } of trace.layers) {
        layer.load(read('model'), { prefix: `backbone.layers.${index}.mixer.` })
        const some = hidden.subarray(0, 64 * 128)
        const { routing, output } = layer.apply(tf.tensor2d(some, [64, 128]), { training: false })
        const core = forwardLayer(some, routing, layer.weights(), tiny)
        expectClose(output.dataSync(), core, { abs: 1e-4 }, 'output')
        for (let token = 0; token < 64; token++) {
          const own = [...routing.experts.subarray(token * 6, token * 6 + 6)]
          const theirs = [...experts.subarray(token * 6, token * 6 + 6)]
          expect(new Set(own)).toEqual(new Set(theirs))
          own.forEach((expert, k) => {
            const at = token * 6 + theirs.indexOf(expert)
            expect(Math.abs(routing.weights[token * 6 + k] - weights[at])).toBeLessThan(2e-6)
          })
        }
      }
    },
    tiny,
  )
})
