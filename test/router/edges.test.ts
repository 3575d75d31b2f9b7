import { InputError, linearRouter, type RouterConfig, route, routerLogits, streams } from 'moesim'
import { describe, expect, test } from 'vitest'

const router: RouterConfig = { numExperts: 4, topK: 2, scoreFunction: 'sigmoid', normalize: true, scale: 1 }
const masked = Number.NEGATIVE_INFINITY
const routed = (logits: number[], change: Partial<RouterConfig> = {}, bias?: number[]) => {
  const { experts, weights } = route(
    Float32Array.from(logits),
    { ...router, ...change },
    bias && Float32Array.from(bias),
  )
  return { experts: [...experts], weights: [...weights] }
}

describe('ties', () => {
  test('go to the lower index', () => {
    expect(routed([0, 1, 1, 1]).experts).toEqual([1, 2])
    expect(routed([1, 0, 1, 0, 0, 0, 0, 0]).experts).toEqual([0, 2, 0, 1])
  })

  test('are common where a sigmoid saturates: in float32 it is 1 from a logit of 17 on', () => {
    expect(routed([17.5, 90, 30, 0])).toEqual({ experts: [0, 1], weights: [0.5, 0.5] })
  })

  test('between groups go to the lower group', () => {
    expect(routed([1, 1, 1, 1], { numGroups: 2, topGroups: 1 }).experts).toEqual([0, 1])
  })
})

describe('a logit of −∞', () => {
  test.each(['sigmoid', 'softmax', 'sqrtsoftplus'] as const)(
    'is never chosen with %s, whatever the bias',
    (scoreFunction) => {
      expect(routed([masked, 0, 1, masked], { scoreFunction }, [100, 0, 0, 100]).experts).toEqual([2, 1])
    },
  )

  test('leaves slots empty when fewer than K experts are left', () => {
    expect(routed([masked, 3, masked, masked])).toEqual({ experts: [1, -1], weights: [1, 0] })
    expect(routed([masked, 3, masked, masked], { scoreFunction: 'softmax' })).toEqual({
      experts: [1, -1],
      weights: [1, 0],
    })
  })

  test.each(['beforeTopK', 'afterTopK'] as const)(
    'in a whole row leaves the token without experts (softmax %s)',
    (softmaxOrder) => {
      const change = { scoreFunction: 'softmax', softmaxOrder } as const
      expect(routed([masked, masked, masked, masked], change)).toEqual({ experts: [-1, -1], weights: [0, 0] })
    },
  )

  test('keeps a group from being chosen only if it has no experts at all', () => {
    const change = { numGroups: 2, topGroups: 1, groupScoreTop: 1 }
    expect(routed([masked, 2, 1, 1], change).experts).toEqual([1, -1])
    expect(routed([masked, masked, -9, -9], change).experts).toEqual([2, 3])
  })
})

test('scores that have all underflowed give weights of 0, not 0/0', () => {
  const nothing = { experts: [0, 1], weights: [0, 0] }
  expect(routed([-999, -999, -999, -999], { epsilon: 0 })).toEqual(nothing)
  expect(routed([-999, -999, -999, -999])).toEqual(nothing)
})

describe('groups', () => {
  test('that are left out are masked with −∞: negative keys of a kept group still win', () => {
    expect(routed([0, 0, 0, 0], { numGroups: 2, topGroups: 1 }, [-3, -3, -5, -2]).experts).toEqual([0, 1])
  })
})

describe('refusals name the rule, the value and the remedy', () => {
  const refusal = (act: () => unknown): InputError => {
    try {
      act()
    } catch (error) {
      if (error instanceof InputError) return error
    }
    return expect.fail('should have been refused')
  }
  const four = new Float32Array(4)

  test.each<[string, Record<string, unknown>]>([
    ['numExperts', { numExperts: 0 }],
    ['numExperts', { numExperts: 4.5 }],
    ['topK', { topK: 0 }],
    ['topK', { topK: 5 }],
    ['topK', { topK: 3, numGroups: 4, topGroups: 2 }],
    ['scoreFunction', { scoreFunction: 'relu' }],
    ['softmaxOrder', { softmaxOrder: 'afterTopK' }],
    ['softmaxOrder', { softmaxOrder: 'sometimes', scoreFunction: 'softmax' }],
    ['normalize', { normalize: 1 }],
    ['scale', { scale: Number.NaN }],
    ['scale', { scale: 1e39 }],
    ['the config', { numGroup: 2 }],
    ['epsilon', { epsilon: -1 }],
    ['epsilon', { epsilon: Infinity }],
    ['numGroups', { numGroups: 5 }],
    ['numExperts', { numGroups: 3 }],
    ['topGroups', { numGroups: 2, topGroups: 3 }],
    ['groupScoreTop', { numGroups: 2, topGroups: 1, groupScoreTop: 3 }],
  ])('%s: %o', (name, change) => {
    const { rule, remedy, message } = refusal(() => route(four, { ...router, ...change } as RouterConfig))
    expect(rule).toMatch(new RegExp(`^router: ${name} `))
    expect(remedy).toMatch(/\.$/)
    expect(message).toContain(', got ')
  })

  test('logits that are not rows of numExperts', () => {
    expect(refusal(() => route(new Float32Array(5), router)).message).toBe(
      'route: logits must be a Float32Array of tokens × 4 values, got a Float32Array of 5. ' +
        'Lay them out as [T, E], row by row.',
    )
    expect(refusal(() => route([0, 0, 0, 0] as unknown as Float32Array, router)).message).toContain(
      'an array of 4',
    )
  })

  test.each([Number.NaN, Number.POSITIVE_INFINITY])('a logit of %d, with its position', (bad) => {
    expect(refusal(() => routed([0, 0, 0, 0, 0, 0, bad, 0])).rule).toBe(
      'route: the logit of token 1 for expert 2 must be a number below +∞',
    )
  })

  test('a bias of another length, or not finite, or with softmax after top-k', () => {
    expect(refusal(() => routed([0, 0, 0, 0], {}, [0])).rule).toContain(
      'bias must be a Float32Array of numExperts = 4',
    )
    expect(refusal(() => routed([0, 0, 0, 0], {}, [0, 0, masked, 0])).rule).toContain(
      'bias of expert 2 must be finite',
    )
    const after = { scoreFunction: 'softmax', softmaxOrder: 'afterTopK' } as const
    expect(refusal(() => routed([0, 0, 0, 0], after, [0, 0, 0, 0])).rule).toContain('takes no bias')
  })

  test('router weights, hidden states and gate biases that do not fit', () => {
    expect(refusal(() => routerLogits(four, new Float32Array(6), 4)).rule).toContain('numExperts = 4 rows')
    expect(refusal(() => routerLogits(four, new Float32Array(0), 4)).rule).toContain('numExperts = 4 rows')
    expect(refusal(() => routerLogits(new Float32Array(3), new Float32Array(8), 4)).rule).toContain(
      'rows of D = 2',
    )
    expect(refusal(() => routerLogits(four, new Float32Array(8), 4, new Float32Array(3))).rule).toContain(
      'gateBias',
    )
  })

  test('a linear router without hidden states, or without a weight for the layer', () => {
    const context = { step: 0, layer: 1, tokens: 1, random: streams(0) }
    const twoLayers = linearRouter(router, [new Float32Array(8), new Float32Array(8)])
    expect(twoLayers({ tokens: 1, hidden: new Float32Array(2) }, four, context).tokens).toBe(1)
    const oneLayer = linearRouter(router, [new Float32Array(8)])
    expect(refusal(() => oneLayer({ tokens: 1, hidden: new Float32Array(2) }, four, context)).rule).toContain(
      'every layer',
    )
    const shared = linearRouter(router, new Float32Array(8))
    expect(refusal(() => shared({ tokens: 1 }, four, context)).rule).toContain('hidden states')
  })
})
