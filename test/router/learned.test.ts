import {
  type CosineWeights,
  cosineLogits,
  cosineRouter,
  InputError,
  noisyTopK,
  type RouterConfig,
  route,
  routerLogits,
  softplus,
  streams,
} from 'moesim'
import { describe, expect, test } from 'vitest'
import { rowsOf } from '../routings.js'
import { normalRows, run } from './run.js'

describe('noisyTopK', () => {
  const gateWeights = normalRows(4, 3)
  const silent = new Float32Array(12).fill(-40) // softplus of large negative numbers is 0
  const hidden = Float32Array.of(1, 1, 1, 0.5, 1, 0.5)
  const options = { numExperts: 4, topK: 2, gateWeights, noiseWeights: silent }
  const clean: RouterConfig = {
    numExperts: 4,
    topK: 2,
    scoreFunction: 'softmax',
    softmaxOrder: 'afterTopK',
    normalize: false,
    scale: 1,
  }

  test('without noise is top-k of x·W with the softmax over the kept', () => {
    const routing = run(noisyTopK({ ...options, leastDeviation: 0 }), { tokens: 2, hidden })
    expect(routing).toEqual(route(routerLogits(hidden, gateWeights, 4), clean))
  })

  test('the deviation of each logit is softplus(x·W_noise) + 1e-2: shares of the first expert as the normal law has them', () => {
    // Two experts with logits 0.5 and 0 and deviations d0, d1: the first wins with probability Φ(0.5 / √(d0² + d1²)).
    const tokens = 4000
    const ones = new Float32Array(tokens).fill(1)
    const two = {
      numExperts: 2,
      topK: 1,
      gateWeights: Float32Array.of(0.5, 0),
      noiseWeights: Float32Array.of(0, -1),
    }
    const wins = (more: object): number =>
      rowsOf(run(noisyTopK({ ...two, ...more }), { tokens, hidden: ones })).filter(([e]) => e === 0).length /
      tokens
    expect(softplus(0) + 0.01).toBeCloseTo(0.7031, 4) // √(0.7031² + 0.3233²) = 0.7739 and Φ(0.5 / 0.7739) = 0.7409
    expect(Math.abs(wins({}) - 0.7409)).toBeLessThan(5 * Math.sqrt((0.74 * 0.26) / tokens))
    // With a least deviation of 2: √(2.6931² + 2.3133²) = 3.5503 and Φ(0.1408) = 0.5560.
    expect(Math.abs(wins({ leastDeviation: 2 }) - 0.556)).toBeLessThan(5 * Math.sqrt(0.25 / tokens))
  })

  test('refuses a deviation that is none', () => {
    for (const leastDeviation of [-99, Infinity, Number.NaN]) {
      expect(() => noisyTopK({ ...options, leastDeviation })).toThrow('noisyTopK: leastDeviation must be')
    }
  })

  test('the noise of a token is its own', () => {
    const flat = {
      numExperts: 2,
      topK: 1,
      gateWeights: new Float32Array(2),
      noiseWeights: new Float32Array(2),
    }
    const draws = streams(1)('noise/noisy-top-k')
    const firsts = Array.from({ length: 30 }, (_, token) => {
      draws.at(token)
      const [first, second] = [draws.normal(), draws.normal()]
      return [first > second ? 0 : 1]
    })
    expect(rowsOf(run(noisyTopK(flat), { tokens: 30, hidden: new Float32Array(30) }))).toEqual(firsts)
  })

  test('takes weights for each layer, and refuses a layer or hidden states that are not there', () => {
    const perLayer = {
      ...options,
      gateWeights: [gateWeights, normalRows(4, 3, 2)],
      noiseWeights: [silent, silent],
    }
    const at = (layer: number) =>
      run(noisyTopK({ ...perLayer, leastDeviation: 0 }), { tokens: 2, hidden }, { layer })
    expect(at(1).weights).not.toEqual(at(0).weights)
    expect(() => at(2)).toThrow('noisyTopK: there must be a weight for every layer simulated')
    expect(() => run(noisyTopK(options), { tokens: 2 })).toThrow(
      'noisyTopK: the workload must give hidden states',
    )
    expect(() => noisyTopK({ ...options, topK: 5 })).toThrow(InputError)
  })
})

describe('the cosine router', () => {
  const weights: CosineWeights = {
    projection: Float32Array.of(1, 0, 0, 1), // the identity
    directions: Float32Array.of(3, 0, 0, 0.1, -1, -1),
    temperature: Math.log(2),
  }

  test('is the cosine between x and each direction, times exp(temperature)', () => {
    const logits = cosineLogits(Float32Array.of(5, 0, -1, 1), weights, 3)
    const half = Math.SQRT1_2
    ;[2, 0, -2 * half, -2 * half, 2 * half, 0].forEach((wanted, i) =>
      expect(logits[i]).toBeCloseTo(wanted, 6),
    )
  })

  test('does not see the size of x or of a direction, and never multiplies by more than 100', () => {
    const hidden = normalRows(6, 2)
    const plain = cosineLogits(hidden, weights, 3)
    const large = cosineLogits(
      hidden.map((x) => 64 * x),
      weights,
      3,
    )
    const long = cosineLogits(hidden, { ...weights, directions: weights.directions.map((x) => 8 * x) }, 3)
    expect(large).toEqual(plain)
    expect(long).toEqual(plain)
    const hottest = cosineLogits(Float32Array.of(1, 0), { ...weights, temperature: 99 }, 3)
    expect(hottest[0]).toBeCloseTo(100, 4)
  })

  test('a hidden state of 0 has logits of 0; a linear bias of the projection moves it', () => {
    expect([...cosineLogits(new Float32Array(2), weights, 3)].map(Math.abs)).toEqual([0, 0, 0])
    const moved = cosineLogits(new Float32Array(2), { ...weights, projectionBias: Float32Array.of(0, 1) }, 3)
    expect(moved[1]).toBeCloseTo(2, 6)
  })

  test('routes like any top-k router of its logits, with a bias and weights for each layer', () => {
    const router: RouterConfig = {
      numExperts: 3,
      topK: 2,
      scoreFunction: 'softmax',
      normalize: true,
      scale: 1,
    }
    const hidden = normalRows(4, 2)
    const bias = Float32Array.of(0, 0.3, 0)
    const routing = run(cosineRouter(router, weights), { tokens: 4, hidden }, { bias })
    expect(routing).toEqual(route(cosineLogits(hidden, weights, 3), router, bias))
    const perLayer = cosineRouter(router, [weights, { ...weights, temperature: 0 }])
    const at = (layer: number) => run(perLayer, { tokens: 4, hidden }, { bias, layer })
    expect(at(0)).toEqual(routing)
    expect(at(1).weights).not.toEqual(routing.weights)
    expect(() => at(2)).toThrow('cosineRouter: there must be a weight for every layer')
    expect(() => run(cosineRouter(router, weights), { tokens: 4 })).toThrow(
      'cosineRouter: the workload must give',
    )
  })

  test('refuses weights that do not fit', () => {
    const hidden = new Float32Array(2)
    expect(() => cosineLogits(hidden, { ...weights, directions: new Float32Array(5) }, 3)).toThrow(
      'directions must hold',
    )
    expect(() => cosineLogits(hidden, { ...weights, directions: new Float32Array(0) }, 3)).toThrow(
      'directions must hold',
    )
    expect(() => cosineLogits(hidden, { ...weights, projection: new Float32Array(3) }, 3)).toThrow(InputError)
    expect(() => cosineLogits(hidden, { ...weights, temperature: Number.NaN }, 3)).toThrow('temperature')
  })
})
