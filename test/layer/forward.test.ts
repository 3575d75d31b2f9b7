import fc from 'fast-check'
import {
  applyCapacity,
  countParameters,
  forwardLayer,
  InputError,
  type LayerConfig,
  type LayerWeights,
  layerOf,
  loadOf,
  nemotron3Nano,
  presets,
  type Routing,
  randomWeights,
  routeLayer,
  streams,
  tinyNemotronH,
  tokenMajorOrder,
  weightShapes,
} from 'moesim'
import { describe, expect, test } from 'vitest'
import { expectClose } from '../golden.js'
import { normalRows } from '../router/run.js'
import { anyWeights, configs, router } from './any-layer.js'

/** erf by Kummer's series, whose terms are all of one sign. */
const erf = (x: number): number => {
  let term = x
  let sum = x
  for (let n = 1; n < 400; n++) {
    term *= (2 * x * x) / (2 * n + 1)
    sum += term
  }
  return Math.min(1, Math.max(-1, (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum))
}
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x))
const clamp = (x: number, least: number, most: number): number => Math.min(Math.max(x, least), most)

/** The unit of each activation, written with the engine's functions. */
const units: Record<LayerConfig['activation'], (x: number) => number> = {
  relu: (x) => (x > 0 ? x : 0),
  relu2: (x) => (x > 0 ? x * x : 0),
  silu: (x) => x / (1 + Math.exp(-x)),
  gelu: (x) => (x * (1 + erf(x / Math.SQRT2))) / 2,
  gelu_tanh: (x) => (x * (1 + Math.tanh(0.7978845608028654 * (x + 0.044715 * x ** 3)))) / 2,
  swigluoai: (x) => clamp(x, -1e9, 7) * sigmoid(1.702 * clamp(x, -1e9, 7)),
}

/** y = W x + b in float64, W [out, in] from `at` on. */
const times = (W: Float32Array, x: number[], out: number, at = 0, b?: Float32Array, bAt = 0): number[] =>
  Array.from({ length: out }, (_, o) =>
    x.reduce((sum, value, i) => sum + W[at + o * x.length + i] * value, b ? b[bAt + o] : 0),
  )

/** The layer in float64, one token after another: nothing is dispatched, nothing combined. */
function reference(hidden: Float32Array, routing: Routing, w: LayerWeights, config: LayerConfig): number[] {
  const { hiddenSize: D, expertWidth: F, sharedWidth: S = 0, activation, gated, weighInput } = config
  const I = config.latentWidth || D
  const unit = (gate: number, up: number): number => {
    if (activation === 'swigluoai') return units.swigluoai(gate) * (clamp(up, -7, 7) + 1)
    return gated ? units[activation](gate) * up : units[activation](up)
  }
  return Array.from({ length: routing.tokens }, (_, token) => {
    const x = [...hidden.subarray(token * D, (token + 1) * D)]
    const narrow = w.latentDown ? times(w.latentDown, x, I) : x
    const routed = new Array<number>(I).fill(0)
    for (let slot = token * routing.topK; slot < (token + 1) * routing.topK; slot++) {
      const e = routing.experts[slot]
      if (e < 0) continue
      const weight = routing.weights[slot]
      const input = narrow.map((value) => (weighInput ? weight * value : value))
      const up = times(w.upProj!, input, F, e * F * I, w.upProjBias, e * F)
      const gate = gated ? times(w.gateProj!, input, F, e * F * I, w.gateProjBias, e * F) : up
      const units = up.map((value, f) => unit(gate[f], value))
      const output = times(w.downProj!, units, I, e * F * I, w.downProjBias, e * I)
      output.forEach((value, i) => {
        routed[i] += (weighInput ? 1 : weight) * value
      })
    }
    const wide = w.latentUp ? times(w.latentUp, routed, D) : routed
    if (S === 0) return wide
    const up = times(w.sharedUpProj!, x, S)
    const gate = gated ? times(w.sharedGateProj!, x, S) : up
    const shared = times(
      w.sharedDownProj!,
      up.map((value, s) => unit(gate[s], value)),
      D,
    )
    const scale = w.sharedExpertGate ? sigmoid(times(w.sharedExpertGate, x, 1)[0]) : 1
    return wide.map((value, i) => value + scale * shared[i])
  }).flat()
}

describe('forwardLayer', () => {
  test('is the layer written for one token at a time, whatever its parts, with and without a capacity', () => {
    fc.assert(
      fc.property(
        configs,
        fc.integer({ min: 0, max: 9 }),
        fc.constantFrom(0, 1, 3, Infinity),
        (config, tokens, capacity) => {
          const weights = anyWeights(config)
          const hidden = normalRows(tokens, 3)
          const free = routeLayer(hidden, weights, config)
          const routing = applyCapacity(free, { capacity, order: tokenMajorOrder(free) })
          const output = forwardLayer(hidden, routing, weights, config)
          const wanted = reference(hidden, routing, weights, config)
          expectClose(output, wanted, { abs: 1e-4, rel: 1e-5 }, 'output')
        },
      ),
    )
  })

  test('gives no token anything where nothing is routed and nothing shared', () => {
    const config = { hiddenSize: 3, expertWidth: 2, router, activation: 'silu', gated: true } as const
    const weights = anyWeights(config)
    const hidden = normalRows(4, 3)
    const free = routeLayer(hidden, weights, config)
    const none = applyCapacity(free, { capacity: 0, order: tokenMajorOrder(free) })
    expect([...forwardLayer(hidden, none, weights, config)]).toEqual(new Array(12).fill(0))
  })

  test('does not depend on the order of tokens or the numbers of experts, to the last bit', () => {
    const config = { hiddenSize: 6, expertWidth: 4, router, activation: 'relu2', gated: false } as const
    const weights = anyWeights(config)
    const hidden = normalRows(7, 6)
    const routing = routeLayer(hidden, weights, config)
    const output = forwardLayer(hidden, routing, weights, config)

    const turned = <A extends Float32Array | Int32Array>(rows: A, width: number): A => {
      const result = rows.slice() as A
      for (let i = 0; i < 7; i++) result.set(rows.subarray((6 - i) * width, (7 - i) * width), i * width)
      return result
    }
    const backwards = {
      ...routing,
      experts: turned(routing.experts, 2),
      weights: turned(routing.weights, 2),
    }
    expect(forwardLayer(turned(hidden, 6), backwards, weights, config)).toEqual(turned(output, 6))

    const renumbered = { ...routing, experts: routing.experts.map((e) => (e + 1) % 5) }
    const moved = (all: Float32Array): Float32Array => {
      const size = all.length / 5
      return Float32Array.from([...all.subarray(4 * size), ...all.subarray(0, 4 * size)])
    }
    const others = { ...weights, upProj: moved(weights.upProj!), downProj: moved(weights.downProj!) }
    expect(forwardLayer(hidden, renumbered, others, config)).toEqual(output)
  })

  test.each([
    ['relu', false, 0, -3, 0],
    ['relu', false, 0, 3, 3],
    ['relu2', false, 0, 3, 9],
    ['relu2', true, -3, 5, 0],
    ['silu', true, 1, 2, 2 * 0.7310585786300049],
    ['gelu', false, 0, 1, 0.8413447460685429],
    ['gelu_tanh', false, 0, 1, 0.8411919906082768],
    ['swigluoai', true, 10, 9, 8 * 7 * sigmoid(1.702 * 7)],
    ['swigluoai', true, -1, -9, -6 * -1 * sigmoid(-1.702)],
  ] as const)('%s, gated %s, of gate %d and up %d is %d', (activation, gated, gate, up, wanted) => {
    const one = { numExperts: 1, topK: 1, scoreFunction: 'softmax', normalize: false, scale: 1 } as const
    const config = { hiddenSize: 1, expertWidth: 1, router: one, activation, gated }
    const weights = {
      router: Float32Array.of(0),
      ...(gated && { gateProj: Float32Array.of(gate) }),
      upProj: Float32Array.of(up),
      downProj: Float32Array.of(1),
    }
    const hidden = Float32Array.of(1)
    const [output] = forwardLayer(hidden, routeLayer(hidden, weights, config), weights, config)
    expect(output).toBeCloseTo(wanted, 5)
  })

  test('refuses tokens, experts and weights that are not those of the layer', () => {
    const config = { hiddenSize: 3, expertWidth: 2, router, activation: 'silu', gated: true } as const
    const weights = anyWeights(config)
    const hidden = normalRows(4, 3)
    const routing = routeLayer(hidden, weights, config)
    const refused = (rule: RegExp, call: () => unknown) => {
      expect(call).toThrow(InputError)
      expect(call).toThrow(rule)
    }
    refused(/hidden must hold 4 tokens × 3/, () => forwardLayer(hidden.subarray(3), routing, weights, config))
    refused(/over the layer's 5 experts/, () =>
      forwardLayer(hidden, { ...routing, numExperts: 6 }, weights, config),
    )
    const { upProj: _, ...missing } = weights
    refused(/upProj must be a Float32Array of \[5,2,3\] values, got undefined/, () =>
      forwardLayer(hidden, routing, missing, config),
    )
    refused(/no weights but those .* got "latentUp"/, () =>
      routeLayer(hidden, { ...weights, latentUp: hidden }, config),
    )
  })
})

describe('a layer config', () => {
  const good = { hiddenSize: 3, expertWidth: 2, router, activation: 'silu', gated: true } as const
  test.each([
    [{ latentwidth: 2 }, /only the fields of its kind, got "latentwidth"/],
    [{ hiddenSize: 0 }, /hiddenSize must be a whole number from 1/],
    [{ sharedWidth: -1 }, /sharedWidth must be a whole number from 0/],
    [{ activation: 'swiglu' }, /activation must be one of relu, relu2, silu, gelu, gelu_tanh, swigluoai/],
    [{ activation: 'swigluoai', gated: false }, /gated must be true with activation 'swigluoai'/],
    [{ sharedGate: true }, /sharedWidth must be above 0 where sharedGate is true/],
    [{ weighInput: 1 }, /weighInput must be true or false/],
    [{ router: { ...router, topK: 9 } }, /router.topK must be a whole number from 1 to 5/],
    [
      {
        router: { ...router, scoreFunction: 'softmax', softmaxOrder: 'afterTopK' },
        correctionBias: true,
      },
      /correctionBias must be false with softmaxOrder 'afterTopK'/,
    ],
  ])('%j is refused', (wrong, rule) => {
    expect(() => weightShapes({ ...good, ...wrong } as unknown as LayerConfig)).toThrow(rule)
  })

  test('is in every model of a preset; Nano has 128 experts and two shared ones in one', () => {
    const nano = layerOf(nemotron3Nano)
    expect(nano).toMatchObject({ hiddenSize: 2688, expertWidth: 1856, sharedWidth: 3712, gated: false })
    expect(weightShapes(nano)).toEqual({
      router: [128, 2688],
      correctionBias: [128],
      upProj: [128, 1856, 2688],
      downProj: [128, 2688, 1856],
      sharedUpProj: [3712, 2688],
      sharedDownProj: [2688, 3712],
    })
  })

  test.each(Object.keys(presets))('%s: its layers have as many weights as its parameters count', (name) => {
    const model = presets[name as keyof typeof presets]
    const refused = /must be alike|latentNorm|zeroExperts|outputBias/
    let shapes: readonly (readonly number[])[]
    try {
      shapes = Object.values(weightShapes(layerOf(model)))
    } catch (error) {
      expect(String(error)).toMatch(refused)
      return
    }
    const each = shapes.reduce((sum, shape) => sum + shape.reduce((size, length) => size * length, 1), 0)
    const letters = [...model.pattern].flatMap((letter) => model.layers[letter])
    const layers = letters.filter(({ kind }) => kind === 'moe').length
    const { routedExperts, sharedExperts, latentProj, router, routerBias } = countParameters(model).parts
    const parts = [routedExperts, sharedExperts, latentProj, router, routerBias]
    expect(each * layers).toBe(parts.reduce((sum, part) => sum + (part?.total ?? 0), 0))
  })

  test('of a model without such a layer, or with several that differ, is refused', () => {
    const { E: moe, M: mamba } = tinyNemotronH.layers
    const dense = { ...tinyNemotronH, pattern: 'M', layers: { M: mamba } }
    expect(() => layerOf(dense)).toThrow(/must have a mixture-of-experts layer/)
    const other = { ...moe[0], expertWidth: 7 } as (typeof moe)[0]
    const mixed = { ...tinyNemotronH, pattern: 'EF', layers: { E: moe, F: [other] } }
    expect(() => layerOf(mixed)).toThrow(/must be alike/)
  })
})

describe('randomWeights', () => {
  const small = { ...router, numExperts: 16, topK: 4 }
  const config = {
    hiddenSize: 64,
    expertWidth: 32,
    router: small,
    activation: 'silu',
    gated: true,
    correctionBias: true,
  } as const

  test('are as large as their inputs are few, with biases of 0; the same for the same seed', () => {
    const weights = randomWeights(config, streams(1))
    expect(randomWeights(config, streams(1))).toEqual(weights)
    expect(randomWeights(config, streams(1), 1)).not.toEqual(weights)
    for (const [name, shape] of Object.entries(weightShapes(config))) {
      const values = weights[name as keyof LayerWeights]!
      const square = values.reduce((sum, value) => sum + value * value, 0) / values.length
      const inputs = shape[shape.length - 1]
      expect(square).toBeCloseTo(name === 'correctionBias' ? 0 : 1 / inputs, 2)
    }
  })

  test('an expert does not depend on how many experts there are', () => {
    const fewer = { ...config, router: { ...config.router, numExperts: 8 } }
    const { upProj } = randomWeights(config, streams(1))
    const few = randomWeights(fewer, streams(1)).upProj!
    expect(upProj!.subarray(0, few.length)).toEqual(few)
  })

  test('give a layer whose experts are all used', () => {
    const weights = randomWeights(config, streams(1))
    const load = loadOf(routeLayer(normalRows(2048, 64), weights, config))
    expect(Math.min(...load)).toBeGreaterThan(0)
  })
})
