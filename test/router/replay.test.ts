import {
  agreement,
  InputError,
  type Recorded,
  type RouterConfig,
  type Routing,
  replayRouter,
  route,
} from 'moesim'
import { describe, expect, test } from 'vitest'
import { expectClose, golden } from '../golden.js'
import { ofLogits, run } from './run.js'

type Stored = Parameters<ReturnType<typeof golden>['floats']>[0]
type Item = Record<'recordLogits' | 'replayLogits', Stored> & Pick<RouterConfig, 'scoreFunction' | 'scale'>
type Expected = Record<'recordedIndices' | 'recordedWeights' | 'replayedWeights', Stored> & {
  tokensWithSameSet: number
}

describe('router replay as Megatron-LM computes it', () => {
  const { inputs, expected, tolerance, params, floats, ints } = golden('router-replay')
  const items = inputs.items as unknown as (Item & { softmaxOrder: RouterConfig['softmaxOrder'] | null })[]
  const wanted = expected.items as unknown as Expected[]

  test('covers every score function', () => expect(items).toHaveLength(4))

  test.each(items.map((item, index) => ({ ...item, index })))(
    '$scoreFunction $softmaxOrder',
    ({ index, scoreFunction, softmaxOrder, scale, recordLogits, replayLogits }) => {
      const { recordedIndices, recordedWeights, replayedWeights, tokensWithSameSet } = wanted[index]
      const { numExperts, topK } = params
      const normalize = scoreFunction !== 'softmax'
      const order = softmaxOrder ? { softmaxOrder } : {}
      const router: RouterConfig = { numExperts, topK, scoreFunction, normalize, scale, ...order }
      const recorded = route(floats(recordLogits), router)
      expect([...recorded.experts]).toEqual([...ints(recordedIndices)])
      expectClose(recorded.weights, floats(recordedWeights), tolerance.recordedWeights, 'recorded weights')

      const logits = floats(replayLogits)
      const replayed = run(
        replayRouter(router, () => recorded),
        { tokens: recorded.tokens, logits },
      )
      expect(replayed.experts).toEqual(recorded.experts)
      expectClose(replayed.weights, floats(replayedWeights), tolerance.replayedWeights, 'replayed weights')
      const { differingTokenShare } = agreement(route(logits, router), recorded)
      expectClose([1 - differingTokenShare], [tokensWithSameSet], tolerance.tokensWithSameSet, 'same set')
    },
  )
})

describe('replayRouter', () => {
  const router: RouterConfig = { numExperts: 4, topK: 2, scoreFunction: 'sigmoid', normalize: true, scale: 1 }
  const rollout = new Map<string, Routing>()
  const recorded: Recorded = (step, layer) => rollout.get(`${step} ${layer}`)
  const batch = ofLogits(4, 3, 2, 1, 0)
  rollout.set('0 0', route(Float32Array.of(0, 1, 2, 3), router))
  rollout.set('7 1', route(Float32Array.of(0, 3, 2, 0), router))

  test('asks for the step and layer it stands at, and keeps no bias', () => {
    const bias = Float32Array.of(9, 0, 0, 0)
    expect([...run(replayRouter(router, recorded), batch, { bias }).experts]).toEqual([3, 2])
    expect([...run(replayRouter(router, recorded), batch, { step: 7, layer: 1 }).experts]).toEqual([1, 2])
  })

  test('refuses a step or layer that was not recorded', () => {
    expect(() => run(replayRouter(router, recorded), batch, { step: 1 })).toThrow(InputError)
    expect(() => run(replayRouter(router, recorded), batch, { step: 1 })).toThrow('none for step 1, layer 0')
  })

  test.each([
    ['other tokens', ofLogits(4, 3, 2, 1, 0, 1, 1, 1, 1), router],
    ['another K', batch, { ...router, topK: 1 }],
    ['other experts', ofLogits(5, 4, 3, 2, 1, 0), { ...router, numExperts: 5 }],
  ])('refuses a recording of %s', (_, other, config) => {
    expect(() => run(replayRouter(config, recorded), other)).toThrow(
      /^replayRouter: step 0, layer 0 must be recorded as/,
    )
  })

  test('refuses a recording whose list of experts has another length than it says', () => {
    const short = (): Routing => ({ ...(recorded(0, 0) as Routing), experts: Int32Array.of(1) })
    expect(() => run(replayRouter(router, short), batch)).toThrow('routeAt: experts must hold topK = 2')
  })
})
