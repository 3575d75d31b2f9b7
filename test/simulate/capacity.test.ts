import {
  applyCapacity,
  type Balance,
  biasBalance,
  type CapacityPolicy,
  gaussian,
  histogramQuantileBalance,
  loadOf,
  megatronCapacity,
  padToCapacity,
  probabilityOrder,
  quantileBalance,
  type Router,
  type RouterConfig,
  randomOrder,
  reportToJson,
  route,
  type Setup,
  type Snapshot,
  simulate,
  unroutedTokens,
} from 'moesim'
import { describe, expect, test } from 'vitest'

const router: RouterConfig = { numExperts: 16, topK: 2, scoreFunction: 'sigmoid', normalize: true, scale: 1 }
const limited: CapacityPolicy = (routing) =>
  applyCapacity(routing, {
    capacity: megatronCapacity(routing, { factor: 1 }),
    order: probabilityOrder(routing),
  })
const setup = {
  router,
  balance: biasBalance({ rate: 1e-2 }),
  workload: gaussian({ numExperts: 16, skew: 0.5 }),
  tokensPerStep: 256,
  seed: 1,
} satisfies Setup<unknown>

const lines = <State>(of: Setup<State>, steps: number): string[] =>
  [...simulate({ ...of, steps })].map((report) => JSON.stringify(reportToJson(report)))
const total = (load: Iterable<number>): number => [...load].reduce((sum, count) => sum + count, 0)

describe('a simulation with a capacity', () => {
  test('routes as before, and then drops what does not fit', () => {
    const [report] = simulate({ ...setup, capacity: limited, layers: 2, steps: 1 })
    const [free] = simulate({ ...setup, layers: 2, steps: 1 })
    expect(report.routings).toEqual(free.routings.map((routing) => limited(routing, {} as never)))
    expect(Math.max(...report.load)).toBe(32)
    expect(report.dropped).toBeGreaterThan(0)
    expect(total(report.load) + report.dropped).toBe(2 * 256 * 2)
    expect(report.load).toEqual(Int32Array.from(report.routings.flatMap((routing) => [...loadOf(routing)])))
    expect(report.unroutedTokens).toBe(total(report.routings.map(unroutedTokens)))
    expect(report.unroutedTokens).toBeGreaterThan(0)
    expect(report.unroutedTokens).toBeLessThanOrEqual(report.dropped / 2)
    expect([free.dropped, free.unroutedTokens]).toEqual([0, 0])
  })

  test('both numbers stand in its JSON', () => {
    const [report] = simulate({ ...setup, capacity: limited, steps: 1 })
    const { dropped, unroutedTokens: unrouted } = report
    expect(reportToJson(report)).toMatchObject({ dropped, unroutedTokens: unrouted })
  })

  test('shows a balance rule the load after the drop, and the scores of before', () => {
    const seenLoads: number[][] = []
    const looking: Balance<null> = {
      init: () => null,
      update: (state, load, seen) => {
        seenLoads.push([...load])
        expect(loadOf(seen!.routing)).toEqual(load.slice())
        expect(seen!.scores).toHaveLength(256 * 16)
        return state
      },
      bias: () => new Float32Array(16),
    }
    const [report] = simulate({ ...setup, balance: looking, capacity: limited, steps: 1 })
    expect(seenLoads).toEqual([[...report.load]])
    expect(Math.max(...seenLoads[0])).toBe(32)
    // The same rule without the capacity sees an expert with more.
    lines({ ...setup, balance: looking }, 1)
    expect(Math.max(...seenLoads[1])).toBeGreaterThan(32)
  })

  test('drops at random from a stream of its own: the same seed, the same bytes; no other draw is shifted', () => {
    const random: CapacityPolicy = (routing, context) => {
      const order = randomOrder(routing, context.random('capacity', context.layer, context.step))
      return applyCapacity(routing, { capacity: 32, order })
    }
    const bounded = { ...setup, capacity: random, layers: 2 }
    expect(lines(bounded, 3)).toEqual(lines(bounded, 3))
    const [a] = simulate({ ...bounded, steps: 1 })
    const [b] = simulate({ ...setup, layers: 2, steps: 1 })
    expect(a.batches).toEqual(b.batches)
    expect(a.routings[0].experts).not.toEqual(limited(b.routings[0], {} as never).experts)
  })

  test('resumes from a snapshot to the bytes that would have come anyway', () => {
    const random: CapacityPolicy = (routing, { random: streams, layer, step }) =>
      applyCapacity(routing, { capacity: 32, order: randomOrder(routing, streams('capacity', layer, step)) })
    const bounded = { ...setup, capacity: random, layers: 2, updateEvery: 3 }
    const whole = lines(bounded, 8)
    for (const taken of [1, 3, 5]) {
      const last = [...simulate({ ...bounded, steps: taken })].at(-1)!
      const from = JSON.parse(JSON.stringify(last.snapshot())) as Snapshot
      expect(lines({ ...bounded, from }, 8 - taken)).toEqual(whole.slice(taken))
    }
  })

  test('counts fillers in the load, and never as an expert of their token', () => {
    const padded: CapacityPolicy = (routing, context) => padToCapacity(limited(routing, context), 32)
    const widths = new Set<number>()
    const looking: Balance<null> = {
      init: () => null,
      // Two micro-batches of rows that are not of one width, joined at the wider.
      update: (state, load, seen) => {
        expect(loadOf(seen!.routing)).toEqual(load.slice())
        expect(seen!.routing.tokens).toBe(512)
        return state
      },
      bias: () => new Float32Array(16),
    }
    const own = { ...setup, balance: looking, updateEvery: 2 }
    for (const [i, report] of [...simulate({ ...own, capacity: padded, steps: 4 })].entries()) {
      const plain = [...simulate({ ...own, capacity: limited, steps: i + 1 })].at(-1)!
      expect([...report.load]).toEqual(new Array(16).fill(32))
      expect([report.dropped, report.unroutedTokens]).toEqual([plain.dropped, plain.unroutedTokens])
      widths.add(report.routings[0].topK)
    }
    expect(widths.size).toBeGreaterThan(1)
  })

  test('leaves fillers out of the floor, and of K for a rule that shares T · K out', () => {
    const padded: CapacityPolicy = (routing, context) => padToCapacity(limited(routing, context), 32)
    for (const balance of [
      quantileBalance() as Balance<never>,
      histogramQuantileBalance() as Balance<never>,
    ]) {
      const own = { ...setup, balance, steps: 3 }
      const plain = [...simulate({ ...own, capacity: limited })]
      const reports = [...simulate({ ...own, capacity: padded })]
      expect(reports.map(({ bias }) => bias)).toEqual(plain.map(({ bias }) => bias))
      expect(reports.map(({ chance }) => chance)).toEqual(plain.map(({ chance }) => chance))
    }
  })

  test('works for a router of one’s own, and on what a router has dropped itself', () => {
    const own: Router = ({ logits }) => ({ ...route(logits!, router), dropped: 5 })
    const [report] = simulate({ ...setup, router: own, capacity: limited, steps: 1 })
    const [config] = simulate({ ...setup, capacity: limited, steps: 1 })
    expect(report.dropped).toBe(config.dropped + 5)
    expect(report.load).toEqual(config.load)
  })

  test('refuses a capacity that makes another batch of it', () => {
    const halved: CapacityPolicy = (routing) => ({ ...routing, tokens: 128 })
    expect(() => lines({ ...setup, capacity: halved }, 1)).toThrow(
      'simulate: a batch of 256 tokens must be routed as such, over 16 experts, got "a routing of 128 tokens over 16".',
    )
  })
})
