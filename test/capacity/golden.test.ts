import { readdirSync } from 'node:fs'
import {
  applyCapacity,
  auxLoss,
  choiceMajorOrder,
  deepspeedCapacity,
  dispatchOrder,
  largestLoad,
  loadOf,
  megatronCapacity,
  padToCapacity,
  probabilityOrder,
  type RouterConfig,
  type Routing,
  renormalize,
  route,
  switchLoss,
  tokenMajorOrder,
  unroutedTokens,
} from 'moesim'
import { describe, expect, test } from 'vitest'
import { expectClose, type Golden, golden } from '../golden.js'

const names = readdirSync(new URL('../fixtures/golden/', import.meta.url))
  .filter((file) => file.startsWith('capacity-') && file.endsWith('.json'))
  .map((file) => file.replace('.json', ''))

test('every recorded capacity is compared', () => expect(names).toHaveLength(10))

const plain = <T>(value: unknown): T => value as T
const int32 = (values: ArrayLike<number>): number[] => Array.from(values)

function routed({ params, inputs, floats }: Golden): Routing {
  return route(floats(inputs.logits), {
    numExperts: params.numExperts,
    topK: params.topK,
    scoreFunction: plain<RouterConfig['scoreFunction']>(params.scoreFunction),
    softmaxOrder: plain<'beforeTopK' | 'afterTopK'>(params.softmaxOrder),
    normalize: false,
    scale: 1,
  })
}

/** A routing as [T, E]. */
function dense({ tokens, topK, numExperts, experts }: Routing, values: ArrayLike<number>): number[] {
  const map: number[] = new Array(tokens * numExperts).fill(0)
  experts.forEach((expert, slot) => {
    if (expert >= 0) map[Math.floor(slot / topK) * numExperts + expert] = values[slot]
  })
  return map
}

/** [token, expert, position in the expert's buffer, weight], sorted; the buffers are filled in the given order. */
function combineOf(routing: Routing, order: Int32Array): number[][] {
  const { slots, offsets } = dispatchOrder(routing, order)
  const entries: number[][] = []
  slots.forEach((slot, row) => {
    const expert = routing.experts[slot]
    entries.push([Math.floor(slot / routing.topK), expert, row - offsets[expert], routing.weights[slot]])
  })
  return entries.sort((a, b) => a[0] - b[0] || a[1] - b[1])
}

describe('Megatron-LM: the C largest weights of each expert stay, with the weights they had', () => {
  test.each(names.filter((name) => name.includes('megatron')))('%s', (name) => {
    const recorded = golden(name)
    const { params, expected } = recorded
    const before = routed(recorded)
    const capacity = megatronCapacity(before, { factor: plain<number>(params.capacityFactor) })
    expect(capacity).toBe(expected.capacity)
    recorded.matches('tokensPerExpertBeforeDrop', loadOf(before))
    const kept = applyCapacity(before, { capacity, order: probabilityOrder(before) })
    recorded.matches('keptMap', dense(kept, new Array(kept.experts.length).fill(1)))
    recorded.matches('weights', dense(kept, kept.weights))
    recorded.matches('keptPerExpert', loadOf(kept))
    expect(kept.dropped).toBe(expected.droppedAssignments)
    expect(unroutedTokens(kept)).toBe(expected.droppedTokens)
    if (!params.padToCapacity) return recorded.matches('rowsPerExpertAfter', loadOf(kept))
    // Which tokens fill is left to the order of ties in torch.topk, so only their number is recorded.
    const padded = padToCapacity(kept, capacity)
    recorded.matches('rowsPerExpertAfter', loadOf(padded))
    recorded.matches('fillersPerExpert', padded.fillers)
    recorded.matches('weights', dense(padded, padded.weights))
    expect(unroutedTokens(padded)).toBe(expected.droppedTokens)
  })
})

describe('DeepSpeed: drop, then renormalise what is left', () => {
  test.each(names.filter((name) => name.includes('deepspeed')))(
    '%s: its loss, of the counts before any drop',
    (name) => {
      const { params, inputs, expected, tolerance, floats } = golden(name)
      const { numExperts, topK } = params
      const options = { numExperts, topK, scoreFunction: 'softmax' } as const
      const { value } =
        params.auxLossUses === 'first choices only'
          ? switchLoss(floats(inputs.logits), { numExperts })
          : auxLoss(floats(inputs.logits), options)
      expectClose([value], [expected.auxLoss as unknown as number], tolerance.auxLoss, `${name}: auxLoss`)
    },
  )

  test.each<[name: string, order: (routing: Routing) => Int32Array, places: typeof tokenMajorOrder]>([
    ['capacity-deepspeed-topk-probs', probabilityOrder, tokenMajorOrder],
    ['capacity-deepspeed-topk-position', tokenMajorOrder, tokenMajorOrder],
    ['capacity-deepspeed-topk-nodrop', tokenMajorOrder, tokenMajorOrder],
    ['capacity-deepspeed-top2', choiceMajorOrder, choiceMajorOrder],
    ['capacity-deepspeed-top1-nodrop', tokenMajorOrder, tokenMajorOrder],
  ])('%s', (name, order, places) => {
    const recorded = golden(name)
    const { params, expected, tolerance, ints, floats } = recorded
    const before = routed(recorded)
    const counts = expected.tokensPerExpertBeforeDrop ?? expected.expertCounts
    expect(int32(loadOf(before))).toEqual(int32(ints(counts)))
    const limit = { factor: plain<number>(params.capacityFactor), least: plain<number>(params.minCapacity) }
    const drops = params.dropPolicy !== 'none'
    const capacity = drops ? deepspeedCapacity(before, limit) : largestLoad(before)
    expect(capacity).toBe(expected.capacity)
    const kept = applyCapacity(before, { capacity, order: order(before) })
    const weighed = params.renormalizeAfterDrop ? renormalize(kept) : kept
    const combine = plain<Record<string, Golden['expected'][string]>>(expected.combine)
    const entries = combineOf(weighed, places(weighed))
    for (const [field, i] of [['token', 0] as const, ['expert', 1] as const, ['slot', 2] as const]) {
      expect(
        entries.map((entry) => entry[i]),
        field,
      ).toEqual(int32(ints(combine[field])))
    }
    expectClose(
      entries.map((entry) => entry[3]),
      floats(combine.weight),
      tolerance.combineWeight,
      `${name}: weight`,
    )
  })

  test('capacity-deepspeed-top1-overflow: as many are kept, by whichever order', () => {
    // Without random selection, top1gating keeps the top C of a column of zeros and ones: which, is up to torch.topk.
    const recorded = golden('capacity-deepspeed-top1-overflow')
    const { params, expected, ints } = recorded
    const before = routed(recorded)
    expect(int32(loadOf(before))).toEqual(int32(ints(expected.expertCounts)))
    const limit = { factor: plain<number>(params.capacityFactor), least: plain<number>(params.minCapacity) }
    const capacity = deepspeedCapacity(before, limit)
    expect(capacity).toBe(expected.capacity)
    for (const order of [tokenMajorOrder, probabilityOrder]) {
      const kept = applyCapacity(before, { capacity, order: order(before) })
      expect(int32(loadOf(kept))).toEqual(expected.keptPerExpert)
      expect(kept.dropped).toBe(expected.droppedTokens)
      expect(unroutedTokens(kept)).toBe(expected.droppedTokens) // one expert a token: the two numbers are one
    }
  })
})

// Numbers of DeepSpeed's tests/unit/v1/moe/test_moe.py, for rank 0, recorded by running it:
// (token, expert, position in the buffer): weight.
describe('DeepSpeed’s own tests', () => {
  const gate = (rows: number[][], topK: number): Routing =>
    route(Float32Array.from(rows.flat()), {
      numExperts: rows[0].length,
      topK,
      scoreFunction: 'softmax',
      normalize: false,
      scale: 1,
    })
  const expectCombine = (routing: Routing, places: Int32Array, wanted: number[][]): void => {
    const entries = combineOf(routing, places)
    expect(entries.map((entry) => entry.slice(0, 3))).toEqual(wanted.map((entry) => entry.slice(0, 3)))
    const weights = (of: number[][]): number[] => of.map((entry) => entry[3])
    expectClose(weights(entries), weights(wanted), { abs: 2e-6 }, 'weight')
  }
  const topk = (rows: number[][], topK: number, order: typeof tokenMajorOrder, wanted: number[][]): void => {
    const before = gate(rows, topK)
    const capacity = deepspeedCapacity(before, { factor: 1, least: 0 })
    expect(capacity).toBe(2)
    const kept = renormalize(applyCapacity(before, { capacity, order: order(before) }))
    expectCombine(kept, tokenMajorOrder(kept), wanted)
  }

  const two = [
    [0.11, 0.2, 0.1, 0.3],
    [0.3, 0.4, 0.11, 0.1],
    [0.11, 0.1, 0.6, 0.5],
    [0.1, 0.11, 0.7, 0.8],
  ]
  const three = [
    [0.5858, 0.4801, 0.6269, 0.5397, 0.9722, 0.7034],
    [0.5445, 0.6332, 0.4519, 0.6308, 0.0519, 0.645],
    [0.4874, 0.811, 0.7467, 0.8474, 0.0277, 0.3068],
    [0.857, 0.6714, 0.531, 0.3274, 0.4836, 0.9892],
  ]

  test('top-2 of 4, by probability and by position', () => {
    expect([...loadOf(gate(two, 2))]).toEqual([1, 2, 2, 3])
    topk(two, 2, probabilityOrder, [
      [0, 1, 0, 1],
      [1, 0, 0, 0.4750208],
      [1, 1, 1, 0.5249792],
      [2, 2, 0, 0.5249792],
      [2, 3, 0, 0.4750208],
      [3, 2, 1, 0.4750208],
      [3, 3, 1, 0.5249792],
    ])
    topk(two, 2, tokenMajorOrder, [
      [0, 1, 0, 0.4750208],
      [0, 3, 0, 0.5249792],
      [1, 0, 0, 0.4750208],
      [1, 1, 1, 0.5249792],
      [2, 2, 0, 0.5249792],
      [2, 3, 1, 0.4750208],
      [3, 2, 1, 1],
    ])
  })

  test('top-3 of 6, by probability and by position', () => {
    expect([...loadOf(gate(three, 3))]).toEqual([1, 3, 2, 2, 1, 3])
    const shared = [
      [1, 1, 0, 0.3322841],
      [1, 3, 0, 0.3314876],
    ]
    const third = [
      [2, 1, 1, 0.3361577],
      [2, 2, 1, 0.315223],
      [2, 3, 1, 0.3486193],
    ]
    topk(three, 3, probabilityOrder, [
      [0, 2, 0, 0.4145226],
      [0, 4, 0, 0.5854774],
      ...shared,
      [1, 5, 0, 0.3362283],
      ...third,
      [3, 0, 0, 0.4669981],
      [3, 5, 1, 0.533002],
    ])
    topk(three, 3, tokenMajorOrder, [
      [0, 2, 0, 0.2863758],
      [0, 4, 0, 0.404481],
      [0, 5, 0, 0.3091432],
      ...shared,
      [1, 5, 1, 0.3362283],
      ...third,
      [3, 0, 0, 1],
    ])
  })

  test('top-2 without a drop', () => {
    const before = gate(
      [
        [0.95, 0.85, 0.9, 0.8],
        [0.7, 0.65, 0.75, 0.6],
        [0.5, 0.55, 0.45, 0.4],
        [0.35, 0.3, 0.25, 0.2],
      ],
      2,
    )
    expect([...loadOf(before)]).toEqual([4, 2, 2, 0])
    expect(largestLoad(before)).toBe(4)
    expectCombine(renormalize(before), tokenMajorOrder(before), [
      [0, 0, 0, 0.5124974],
      [0, 2, 0, 0.4875026],
      [1, 0, 1, 0.4875026],
      [1, 2, 1, 0.5124974],
      [2, 0, 2, 0.4875026],
      [2, 1, 0, 0.5124974],
      [3, 0, 3, 0.5124974],
      [3, 1, 1, 0.4875026],
    ])
  })

  const small = [
    [0.1, 0.9, 0.2],
    [0.8, 0.1, 0.3],
    [0.4, 0.6, 0.5],
    [0.7, 0.2, 0.1],
  ]

  test('top2gating: second choices come after all first ones', () => {
    const before = gate(small, 2)
    expect([...loadOf(before)]).toEqual([2, 3, 3])
    const capacity = deepspeedCapacity(before, { factor: 0.5, least: 0 })
    expect(capacity).toBe(2)
    const kept = renormalize(applyCapacity(before, { capacity, order: choiceMajorOrder(before) }))
    expectCombine(kept, choiceMajorOrder(kept), [
      [0, 1, 0, 0.6681877],
      [0, 2, 0, 0.3318122],
      [1, 0, 0, 0.6224593],
      [1, 2, 1, 0.3775407],
      [2, 1, 1, 1],
      [3, 0, 1, 1],
    ])
  })

  test('top1gating keeps the raw gate', () => {
    expectCombine(gate(small, 1), tokenMajorOrder(gate(small, 1)), [
      [0, 1, 0, 0.5138972],
      [1, 0, 0, 0.4754849],
      [2, 1, 1, 0.3671654],
      [3, 0, 1, 0.4639634],
    ])
  })
})
