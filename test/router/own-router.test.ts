import {
  gaussian,
  loadOf,
  maxViolation,
  noBalance,
  type Router,
  type RouterConfig,
  simulate,
  streams,
  topK,
} from 'moesim'
import { describe, expect, test } from 'vitest'

/** Each token goes to the emptier of its two best experts, in order of arrival. */
const emptierOfTwo: Router = ({ tokens, logits }) => {
  const best = topK(logits!, 16, 2)
  const load = new Int32Array(16)
  const experts = Int32Array.from({ length: tokens }, (_, token) => {
    const [first, second] = best.subarray(2 * token)
    const chosen = load[second] < load[first] ? second : first
    load[chosen]++
    return chosen
  })
  return { tokens, topK: 1, numExperts: 16, experts, weights: new Float32Array(tokens).fill(1), dropped: 0 }
}

describe('a router of one’s own', () => {
  const workload = gaussian({ numExperts: 16, skew: 0.2 })
  const plain: RouterConfig = {
    numExperts: 16,
    topK: 1,
    scoreFunction: 'softmax',
    normalize: false,
    scale: 1,
  }
  const setup = { workload, balance: noBalance, tokensPerStep: 512, steps: 3, seed: 1 }

  test('is simulated like any other: its load is what is reported', () => {
    const reports = [...simulate({ ...setup, router: emptierOfTwo })]
    expect(reports).toHaveLength(3)
    for (const { load, routings, maxViolation: reported } of reports) {
      expect(load).toEqual(loadOf(routings[0]))
      expect(load.reduce((sum, count) => sum + count, 0)).toBe(512)
      expect(reported).toBe(maxViolation(load))
    }
  })

  test('can do what no top-k of scores does: choose by the load so far', () => {
    const [own] = simulate({ ...setup, router: emptierOfTwo })
    const [config] = simulate({ ...setup, router: plain })
    expect(own.maxViolation).toBeLessThan(config.maxViolation / 3)
  })

  test('may draw from the streams, and is then a matter of the seed alone', () => {
    const coin: Router = ({ tokens }, _bias, { random, layer, step }) => {
      const draws = random('coin', layer, step)
      const experts = Int32Array.from({ length: tokens }, (_, token) => draws.at(token).below(16))
      return {
        tokens,
        topK: 1,
        numExperts: 16,
        experts,
        weights: new Float32Array(tokens).fill(1),
        dropped: 0,
      }
    }
    const loads = (seed: number) =>
      [...simulate({ ...setup, router: coin, seed })].map(({ load }) => [...load])
    expect(loads(1)).toEqual(loads(1))
    expect(loads(2)).not.toEqual(loads(1))
    expect(new Set(loads(1).map(String)).size).toBe(3)
    const direct = coin({ tokens: 4 }, new Float32Array(16), {
      step: 2,
      layer: 0,
      tokens: 4,
      random: streams(1),
    })
    expect(direct.experts).toHaveLength(4)
  })
})
