import fc from 'fast-check'
import {
  applyCapacity,
  forwardLayer,
  type LayerConfig,
  type LayerWeights,
  prepareLayer,
  type Routing,
  routeLayer,
  tokenMajorOrder,
} from 'moesim'
import { describe, expect, test } from 'vitest'
import { withoutWebAssembly } from '../kernels/plain.js'
import { normalRows } from '../router/run.js'
import { anyWeights, configs } from './any-layer.js'

const width = fc.constantFrom(1, 3, 8, 15, 16, 17, 40)

/** Any layer, with widths on both sides of what the kernels are made of, and 1 to 7 experts. */
const layers: fc.Arbitrary<LayerConfig> = fc
  .record({
    config: configs,
    hiddenSize: width,
    expertWidth: width,
    numExperts: fc.integer({ min: 1, max: 7 }),
  })
  .map(({ config, numExperts, ...sizes }) => ({
    ...config,
    ...sizes,
    router: { ...config.router, numExperts, topK: Math.min(2, numExperts) },
  }))

/** A router to one expert. */
const oneExpert = { numExperts: 1, topK: 1, scoreFunction: 'sigmoid', normalize: true, scale: 1 } as const

/** Every way to compute the layer. */
function ways(
  hidden: Float32Array,
  routing: Routing,
  weights: LayerWeights,
  config: LayerConfig,
): Float32Array[] {
  const prepared = prepareLayer(weights, config)
  const plain = withoutWebAssembly(() => prepareLayer(weights, config))
  return [
    forwardLayer(hidden, routing, weights, config),
    prepared(hidden, routing),
    prepared(hidden, routing),
    withoutWebAssembly(() => forwardLayer(hidden, routing, weights, config)),
    plain(hidden, routing),
    plain(hidden, routing),
  ]
}

function expectSame(outputs: readonly Float32Array[]): void {
  for (const output of outputs) expect(output).toEqual(outputs[0])
}

describe('the kernels, their plain twin and a prepared layer give the same bits', () => {
  test.each([
    [128, 48],
    [132, 32],
    [260, 80],
    [384, 40],
  ])(
    'of experts of %d hidden units, more than are taken at a time, half of them 0, to %d outputs',
    (expertWidth, hiddenSize) => {
      const router = { ...oneExpert, numExperts: 2 }
      const shape = { hiddenSize, expertWidth, router, activation: 'relu2', gated: false } as const
      const config = { ...shape, expertBiases: true, sharedWidth: 2 * expertWidth }
      const weights = anyWeights(config)
      const hidden = normalRows(7, hiddenSize)
      const outputs = ways(hidden, routeLayer(hidden, weights, config), weights, config)
      expectSame(outputs)
      expect(new Set(outputs[0]).size).toBeGreaterThan(6 * hiddenSize)
    },
  )

  test('of any layer, whatever its sizes and parts', () => {
    fc.assert(
      fc.property(
        layers,
        fc.integer({ min: 0, max: 9 }),
        fc.constantFrom(0, 1, Infinity),
        fc.constantFrom(1, 30),
        (config, tokens, capacity, size) => {
          const weights = anyWeights(config)
          const hidden = normalRows(tokens, config.hiddenSize).map((value) => size * value)
          const free = routeLayer(hidden, weights, config)
          const routing = applyCapacity(free, { capacity, order: tokenMajorOrder(free) })
          expectSame(ways(hidden, routing, weights, config))
        },
      ),
    )
  })

  test('of experts whose hidden units are 0 half of the time, for all kinds of tokens', () => {
    for (const activation of ['relu', 'relu2'] as const) {
      for (const gated of [false, true]) {
        const config = { hiddenSize: 40, expertWidth: 24, router: oneExpert, activation, gated } as const
        const weights = anyWeights(config)
        const hidden = normalRows(70, 40)
        for (const [token, value] of [-0, 1e-45, 3e38, Infinity, NaN].entries()) {
          hidden.fill(value, 40 * token, 40 * token + 20)
        }
        const experts = new Int32Array(70)
        const routing = { tokens: 70, topK: 1, numExperts: 1, experts, dropped: 0 }
        expectSame(ways(hidden, { ...routing, weights: new Float32Array(70).fill(1) }, weights, config))
      }
    }
  })

  test('of weights that are not finite, also where the hidden unit they meet is 0', () => {
    const config = {
      hiddenSize: 32,
      expertWidth: 4,
      router: oneExpert,
      activation: 'relu',
      gated: false,
    } as const
    const weights = anyWeights(config)
    weights.upProj!.fill(0, 32, 64) // the second unit is always 0
    const hidden = normalRows(5, 32)
    const routing = routeLayer(hidden, weights, config)
    for (const [output, value] of [Infinity, NaN, -Infinity].entries()) {
      weights.downProj![4 * (output + 20) + 1] = value
    }
    const outputs = ways(hidden, routing, weights, config)
    expectSame(outputs)
    outputs[0].forEach((value, i) => {
      expect(Number.isNaN(value)).toBe(i % 32 >= 20 && i % 32 < 23)
    })
  })

  test.each([
    ['silu', -29.7445278, 1.2539084],
    ['gelu_tanh', -6.11471939, 1.72905779],
    ['swigluoai', -20.928133, 1.7772243],
    ['silu', -31.9568462, -4.97439161e-33], // below 2⁻¹²⁶
    ['gelu_tanh', -6.18718386, -1.44177413e-34],
  ] as const)(
    'of a unit that a near sigmoid rounds to another float32: %s of %d times %d',
    (activation, gate, up) => {
      const config = { hiddenSize: 1, expertWidth: 1, router: oneExpert, activation, gated: true } as const
      const weights = {
        router: Float32Array.of(1),
        gateProj: Float32Array.of(gate),
        upProj: Float32Array.of(up),
        downProj: Float32Array.of(1),
      }
      const routing = { tokens: 1, topK: 1, numExperts: 1, experts: Int32Array.of(0), dropped: 0 }
      expectSame(ways(Float32Array.of(1), { ...routing, weights: Float32Array.of(1) }, weights, config))
    },
  )

  const router = {
    numExperts: 3,
    topK: 2,
    scoreFunction: 'sigmoid',
    normalize: true,
    scale: 1,
  } as const
  const layer = { hiddenSize: 20, expertWidth: 12, router, activation: 'silu', gated: true } as const

  test('of an expert with more rows than pass at a time', () => {
    const config = { ...layer, sharedWidth: 5 }
    const weights = anyWeights(config)
    const hidden = normalRows(150, 20)
    expectSame(ways(hidden, routeLayer(hidden, weights, config), weights, config))
  })

  test('of a routing without slots, which is one of empty slots', () => {
    const weights = anyWeights(layer)
    const none = {
      tokens: 4,
      topK: 0,
      numExperts: 3,
      experts: new Int32Array(0),
      weights: new Float32Array(0),
    }
    const outputs = ways(normalRows(4, 20), { ...none, dropped: 0 }, weights, layer)
    expectSame([new Float32Array(80), ...outputs])
  })

  test('of more tokens than have room in one block, each as if it were alone', () => {
    const config = { ...layer, hiddenSize: 30_000, expertWidth: 1 }
    const weights = anyWeights(config)
    const hidden = Float32Array.from({ length: 80 * 30_000 }, (_, i) => ((i * 37) % 101) / 101)
    const routing = routeLayer(hidden, weights, config)
    const output = forwardLayer(hidden, routing, weights, config)
    for (const token of [0, 60, 79]) {
      const own = { ...routing, tokens: 1, experts: routing.experts.slice(2 * token, 2 * token + 2) }
      const one = { ...own, weights: routing.weights.slice(2 * token, 2 * token + 2) }
      const row = hidden.subarray(token * 30_000, (token + 1) * 30_000)
      const wanted = forwardLayer(row, one, weights, config)
      expect(output.subarray(token * 30_000, (token + 1) * 30_000)).toEqual(wanted)
    }
  })

  test('of gates, ups and rows that are not numbers or are as large as a float32 can be', () => {
    const values = [
      0,
      -0,
      1e-45,
      -1e-45,
      6.9,
      7.1,
      -36,
      -38,
      -90,
      -104,
      -199,
      -201,
      39,
      41,
      88,
      3e38,
      -3e38,
      NaN,
    ]
    for (const activation of ['relu', 'relu2', 'silu', 'gelu', 'gelu_tanh', 'swigluoai'] as const) {
      for (const gated of activation === 'swigluoai' ? [true] : [true, false]) {
        const config = { hiddenSize: 1, expertWidth: 1, router: oneExpert, activation, gated } as const
        const weights = {
          router: Float32Array.of(0),
          ...(gated && { gateProj: Float32Array.of(1) }),
          upProj: Float32Array.of(0.75),
          downProj: Float32Array.of(1),
        }
        const hidden = Float32Array.from(values)
        const zeros = new Int32Array(values.length)
        const routing = { tokens: values.length, topK: 1, numExperts: 1, experts: zeros, dropped: 0 }
        const routed = { ...routing, weights: new Float32Array(values.length).fill(1) }
        const outputs = ways(hidden, routed, weights, config)
        expectSame(outputs)
        expect(outputs[0].at(-1)).toBeNaN()
        expect(outputs[0].slice(0, 4).every((value) => Math.abs(value) < 1e-44)).toBe(true)
      }
    }
  })
})

test('a prepared layer does not see what becomes of its weights, and checks its tokens', () => {
  const router = { numExperts: 2, topK: 1, scoreFunction: 'softmax', normalize: false, scale: 1 } as const
  const config = { hiddenSize: 3, expertWidth: 2, router, activation: 'relu', gated: false } as const
  const weights = anyWeights(config)
  const hidden = normalRows(5, 3)
  const routing = routeLayer(hidden, weights, config)
  const forward = prepareLayer(weights, config)
  const before = forward(hidden, routing)
  expect(forward(hidden)).toEqual(before)
  for (const values of Object.values(weights)) values.fill(0)
  expect(forward(hidden, routing)).toEqual(before)
  expect(forward(hidden)).toEqual(before)
  expect(() => forward(hidden.subarray(3), routing)).toThrow(/hidden must hold 5 tokens × 3/)
  expect(() => prepareLayer({ ...weights, latentUp: hidden }, config)).toThrow(/no weights but those/)
})
