import { InputError, type RouterConfig, resolveRouter, route } from 'moesim'
import { describe, expect, test } from 'vitest'

const router: RouterConfig = { numExperts: 8, topK: 2, scoreFunction: 'sigmoid', normalize: true, scale: 1 }

describe('resolveRouter', () => {
  test('fills in the defaults, without groups, and leaves what is given', () => {
    const filled = {
      softmaxOrder: 'beforeTopK',
      epsilon: 1e-20,
      numGroups: 1,
      topGroups: 1,
      groupScoreTop: 2,
    }
    expect(resolveRouter(router)).toEqual({ ...router, ...filled })
    const given = { ...router, scoreFunction: 'softmax', softmaxOrder: 'afterTopK', epsilon: 1e-6 } as const
    const groups = { numGroups: 4, topGroups: 2, groupScoreTop: 1 }
    expect(resolveRouter({ ...given, ...groups })).toEqual({ ...given, ...groups })
  })

  test('keeps all groups, and scores a group of one expert by it, unless told otherwise', () => {
    expect(resolveRouter({ ...router, numGroups: 8 })).toMatchObject({ topGroups: 8, groupScoreTop: 1 })
  })

  test('is a router that routes the same', () => {
    const logits = Float32Array.of(3, 1, 2, 0, -1, 5, 4, 1)
    expect(route(logits, resolveRouter(router))).toEqual(route(logits, router))
  })

  test('refuses what is unknown or contradicts itself', () => {
    const misspelt = { ...router, topk: 2 } as RouterConfig
    expect(() => resolveRouter(misspelt)).toThrow(InputError)
    expect(() => resolveRouter(misspelt)).toThrow(
      'router: the config must have only the fields of its kind, got "topk"',
    )
    expect(() => resolveRouter({ ...router, topK: 9 })).toThrow(
      'router: topK must be a whole number from 1 to 8',
    )
  })
})
