import fc from 'fast-check'
import {
  type Balance,
  type BiasState,
  biasBalance,
  domains,
  gaussian,
  hiddenDomains,
  histogramQuantileBalance,
  linearRouter,
  loadOf,
  maxViolation,
  noBalance,
  type QuantileState,
  quantileBalance,
  type Router,
  type RouterConfig,
  reportToJson,
  type Setup,
  type Snapshot,
  simulate,
  smebuBalance,
  sumLoads,
  type Workload,
} from 'moesim'
import { describe, expect, test } from 'vitest'

const router: RouterConfig = { numExperts: 16, topK: 2, scoreFunction: 'sigmoid', normalize: true, scale: 1 }
const setup = {
  router,
  balance: biasBalance({ rate: 1e-2 }),
  workload: gaussian({ numExperts: 16, skew: 0.5 }),
  tokensPerStep: 256,
  seed: 1,
} satisfies Setup<unknown>

const lines = <State>(of: Setup<State>, steps: number): string[] =>
  [...simulate({ ...of, steps })].map((report) => JSON.stringify(reportToJson(report)))

describe('a simulation', () => {
  test('comes into balance: from several times the floor to near it', () => {
    const reports = [...simulate({ ...setup, steps: 60 })]
    expect(reports[0].maxViolation).toBeGreaterThan(5 * reports[0].expectedMaxViolation)
    const late = reports.slice(-20)
    const mean = late.reduce((sum, report) => sum + report.maxViolation, 0) / 20
    expect(mean).toBeLessThan(2 * reports[0].expectedMaxViolation)
  })

  test('loses nothing: every load sums to tokens × K, and nothing is dropped', () => {
    for (const { load, dropped } of simulate({ ...setup, layers: 3, steps: 3 })) {
      for (let layer = 0; layer < 3; layer++) {
        expect(load.subarray(layer * 16, (layer + 1) * 16).reduce((sum, count) => sum + count, 0)).toBe(512)
      }
      expect(dropped).toBe(0)
    }
  })

  test('takes whichever of several rules', () => {
    const last = [noBalance, biasBalance({ rate: 0.01 })].map((balance) => {
      const reports = [...simulate({ ...setup, balance, steps: 100 })]
      return reports.at(-1)!.maxViolation
    })
    expect(last[1]).toBeLessThan(last[0] / 2)
  })

  test('is endless until stopped', () => {
    let seen = 0
    for (const { step } of simulate(setup)) {
      expect(step).toBe(seen)
      if (++seen === 5) break
    }
    expect(seen).toBe(5)
  })

  test('gives the same bytes for the same seed, and others for another', () => {
    expect(lines(setup, 4)).toEqual(lines(setup, 4))
    expect(lines({ ...setup, seed: '1' }, 4)).toEqual(lines(setup, 4))
    expect(lines({ ...setup, seed: 2 }, 4)).not.toEqual(lines(setup, 4))
    const { seed: _, ...unseeded } = setup
    expect(lines(unseeded, 2)).toEqual(lines({ ...setup, seed: 0 }, 2))
  })

  test('reports the bias that routed the step, not the one it led to', () => {
    const [first, second] = simulate({ ...setup, steps: 2 })
    expect(first.bias).toEqual(new Float32Array(16))
    const mean = 512 / 16
    const step = Math.fround(1e-2)
    expect([...second.bias]).toEqual(
      [...first.load].map((count) => (count > mean ? -step : count < mean ? step : 0)),
    )
    expect(second.biasSpread[0]).toBeCloseTo(2e-2, 6)
    expect(second.biasMean[0]).toBeCloseTo(second.bias.reduce((sum, b) => sum + b, 0) / 16, 12)
  })

  test('has figures per layer and their mean, beside what chance gives', () => {
    const [report] = simulate({ ...setup, layers: 2, steps: 1 })
    const own = [report.load.subarray(0, 16), report.load.subarray(16)].map(maxViolation)
    expect([...report.maxViolationByLayer]).toEqual(own)
    expect(report.maxViolation).toBeCloseTo((own[0] + own[1]) / 2, 12)
    expect(report.balance.maxViolation).toBe(report.maxViolation)
    expect(report.chance.maxViolation).toBe(report.expectedMaxViolation)
    expect(own[0]).not.toBe(own[1]) // layers have tokens of their own
    expect(report.routings.map(loadOf)[1]).toEqual(report.load.slice(16))
    expect(report.batches[0].tokens).toBe(256)
  })
})

describe('micro-batches', () => {
  test('make one update of their summed load', () => {
    const every = 3
    const reports = [...simulate({ ...setup, updateEvery: every, steps: 7 })]
    expect(reports[2].bias).toEqual(reports[0].bias)
    const total = sumLoads(reports.slice(0, every).map((report) => report.load))
    const rule = setup.balance
    expect(reports[3].bias).toEqual(rule.bias(rule.update(rule.init(16), total)))
    expect(reports[6].bias).not.toEqual(reports[5].bias)
  })

  test('are shown joined to a rule that looks at scores', () => {
    const looked: [number, number, number][] = []
    const parts: unknown[] = []
    const looking: Balance<null> = {
      init: () => null,
      update: (state, load, seen) => {
        looked.push([seen!.routing.tokens, seen!.scores.length, load.reduce((sum, count) => sum + count, 0)])
        parts.push(seen!.microBatches)
        expect(loadOf(seen!.routing)).toEqual(load.slice())
        return state
      },
      bias: () => new Float32Array(16),
    }
    lines({ ...setup, balance: looking, updateEvery: 2, steps: 4 }, 4)
    expect(looked).toEqual([
      [512, 512 * 16, 1024],
      [512, 512 * 16, 1024],
    ])
    expect(parts).toEqual([
      [256, 256],
      [256, 256],
    ])
  })

  test('are shown to whatever hands them on, and not to a rule that looks at the load alone', () => {
    const inner = quantileBalance()
    const wrapper: Balance<QuantileState> = {
      init: (numExperts) => inner.init(numExperts),
      update: (...given) => inner.update(...given),
      bias: (state) => inner.bias(state),
    }
    for (const updateEvery of [1, 3]) {
      const of = { ...setup, updateEvery }
      expect(lines({ ...of, balance: wrapper }, 7)).toEqual(lines({ ...of, balance: inner }, 7))
    }
    const forgetful = {
      ...inner,
      update: (state: QuantileState, load: Int32Array) => inner.update(state, load),
    }
    expect(() => lines({ ...setup, balance: forgetful }, 2)).toThrow(
      'must hand { routing, scores } on as the third argument of update',
    )
    const shown: unknown[] = []
    const rule = setup.balance
    const loadAlone: Balance<BiasState> = {
      ...rule,
      update: (...given) => {
        shown.push(given[2])
        return rule.update(...given)
      },
    }
    lines({ ...setup, balance: loadAlone }, 2)
    expect(shown).toEqual([undefined, undefined])
  })

  test('show the scores that a router function tells, −∞ where a token may not go', () => {
    const masked: Workload = ({ tokens }) => ({
      tokens,
      hidden: Float32Array.from({ length: tokens * 2 }, (_, i) => (i % 2 === 0 ? 1 : i)),
    })
    const weight = Float32Array.from({ length: 16 * 2 }, (_, i) =>
      i === 0 ? Number.NEGATIVE_INFINITY : i / 32,
    )
    const shown: Float32Array[] = []
    const looking: Balance<null> = {
      init: () => null,
      update: (state, _load, seen) => {
        shown.push(seen!.scores)
        expect(seen!.routing.scores).toEqual(seen!.scores)
        return state
      },
      bias: () => new Float32Array(16),
    }
    const [report] = simulate({
      ...setup,
      router: linearRouter(router, weight),
      balance: looking,
      workload: masked,
      numExperts: 16,
      tokensPerStep: 2,
      steps: 1,
    })
    expect([shown[0][0], shown[0][16]]).toEqual([Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY])
    expect(shown[0].filter((score) => score > 0 && score < 1)).toHaveLength(30)
    expect(report.load[0]).toBe(0)
  })

  test('have no scores to show when the router is a function that tells none', () => {
    const own: Router = ({ tokens }) => ({
      tokens,
      topK: 1,
      numExperts: 16,
      experts: Int32Array.from({ length: tokens }, (_, token) => token % 16),
      weights: new Float32Array(tokens).fill(1),
      dropped: 3,
    })
    const seenScores: unknown[] = []
    const looking: Balance<null> = {
      init: () => null,
      update: (state, _load, seen) => {
        seenScores.push(seen)
        return state
      },
      bias: () => new Float32Array(16),
    }
    const [report] = simulate({ ...setup, router: own, balance: looking, layers: 2, steps: 1 })
    expect(seenScores).toEqual([undefined, undefined])
    expect(report.maxViolation).toBe(0)
    expect(report.dropped).toBe(6)
  })
})

test('what is written in the arrays of a report changes no later step, though an update waits for them', () => {
  const waiting = { ...setup, balance: quantileBalance(), updateEvery: 2, steps: 3 }
  const overwritten: Float32Array[] = []
  for (const report of simulate(waiting)) {
    overwritten.push(report.bias.slice())
    for (const { scores, experts, weights } of report.routings) {
      scores?.fill(0.5)
      experts.fill(0)
      weights.fill(9)
    }
  }
  const untouched = Array.from(simulate(waiting), ({ bias }) => bias)
  expect(overwritten).toEqual(untouched)
  expect(untouched[2]).not.toEqual(untouched[0])
})

describe('a snapshot', () => {
  const layered = { ...setup, layers: 2, updateEvery: 3 }

  test('is plain JSON, and resumes to the bytes that would have come anyway, wherever it is taken', () => {
    const whole = lines(layered, 10)
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), (taken) => {
        const last = [...simulate({ ...layered, steps: taken })].at(-1)!
        const from = JSON.parse(JSON.stringify(last.snapshot())) as Snapshot
        expect(lines({ ...layered, from }, 10 - taken)).toEqual(whole.slice(taken))
      }),
      { numRuns: 9 },
    )
  })

  test('keeps any plain state exactly: typed arrays, −0, NaN, ∞, nested records', () => {
    interface State {
      updates: number
      kept: { odd: number[]; bias: Float64Array; name: string; nothing: null; done: boolean }
    }
    const odd: Balance<State> = {
      init: () => ({
        updates: 0,
        kept: {
          odd: [-0, Number.NaN, Infinity, -Infinity, 0.1],
          bias: Float64Array.of(0.1, -0),
          name: 'x',
          nothing: null,
          done: false,
        },
      }),
      update: (state) => ({ ...state, updates: state.updates + 1 }),
      bias: (state) => {
        states.push(state)
        return new Float32Array(16)
      },
    }
    const states: State[] = []
    const [report] = simulate({ ...setup, balance: odd, steps: 1 })
    const from = JSON.parse(JSON.stringify(report.snapshot()))
    lines({ ...setup, balance: odd, from }, 1)
    expect(states.at(-1)).toEqual({ ...states[0], updates: 1 })
    expect(Object.is(states.at(-1)!.kept.odd[0], -0)).toBe(true)
  })

  test('is refused if it is none, or of another simulation', () => {
    const [report] = simulate({ ...setup, steps: 1 })
    const good = report.snapshot()
    for (const from of [null, {}, { ...good, version: 2 }, { ...good, step: -1 }, { ...good, balances: 3 }]) {
      expect(() => simulate({ ...setup, from: from as Snapshot })).toThrow('from must be a snapshot')
    }
    expect(() => simulate({ ...setup, layers: 2, from: good })).toThrow(
      'a snapshot of 2 layers and 16 experts',
    )
    const broken = { ...good, balances: [{ $array: 'constructor', values: [] }] }
    expect(() => simulate({ ...setup, from: broken })).toThrow('$array must name a typed array')
    for (const state of [null, { bias: [0, 0] }, {}]) {
      const from = { ...good, balances: [state, state] } as unknown as Snapshot
      expect(() => simulate({ ...layered, from })).toThrow('from must hold states of this balance rule')
    }
  })

  test.each<[string, Balance<unknown>, Balance<unknown>]>([
    ['smebuBalance', biasBalance({ rate: 1e-3 }), smebuBalance({ rate: 1e-3 })],
    ['biasBalance', histogramQuantileBalance(), biasBalance({ rate: 1e-3 })],
  ] as never)('of another rule is refused by %s, which keeps more', (_, first, second) => {
    const [report] = simulate({ ...setup, balance: first, steps: 1 })
    expect(() => simulate({ ...setup, balance: second, from: report.snapshot() })).toThrow(
      'from must hold states of this balance rule',
    )
  })

  test('is refused of a state that cannot come back', () => {
    const mapped: Balance<Map<string, number>> = {
      init: () => new Map(),
      update: (state) => state,
      bias: () => new Float32Array(16),
    }
    const [report] = simulate({ ...setup, balance: mapped, steps: 1 })
    expect(() => report.snapshot()).toThrow('a balance state must be made of plain values')
  })
})

describe('refusals come before the first step', () => {
  test.each<[object, string]>([
    [{ tokensPerStep: 0 }, 'tokensPerStep must be a whole number'],
    [{ layers: 1.5 }, 'layers must be a whole number'],
    [{ updateEvery: 0 }, 'updateEvery must be a whole number'],
    [{ steps: -1 }, 'steps must be a whole number'],
    [{ router: { ...router, topK: 99 } }, 'topK must be a whole number'],
    [{ seed: Number.NaN }, 'seed must be a string or a finite number'],
    [
      { router: () => null, workload: hiddenDomains({ hiddenSize: 4 }) },
      'numExperts must be a whole number from 1 to 1048576, got 0',
    ],
    [{ numExperts: 99 }, 'numExperts must be a whole number from 16 to 16, got 99'],
    [{ router: () => null, numExperts: 2.5 }, 'numExperts must be a whole number from 1'],
  ])('%o', (change, message) => {
    expect(() => simulate({ ...setup, ...change } as Setup<unknown>)).toThrow(message)
  })

  test('and with the first step where they can be known no earlier', () => {
    const first = (change: object): unknown => [
      ...simulate({ ...setup, steps: 1, ...change } as Setup<unknown>),
    ]
    expect(() => first({ workload: hiddenDomains({ hiddenSize: 4 }) })).toThrow(
      'route: the batch must have logits',
    )
    const halved: Router = () => ({
      tokens: 1,
      topK: 1,
      numExperts: 16,
      experts: Int32Array.of(0),
      weights: Float32Array.of(1),
      dropped: 0,
    })
    expect(() => first({ router: halved })).toThrow('a batch of 256 tokens must be routed as such')
    const own = (change: object): Router => {
      const [experts, weights] = [new Int32Array(256), new Float32Array(256)]
      return () => ({ tokens: 256, topK: 1, numExperts: 16, experts, weights, dropped: 0, ...change })
    }
    expect(first({ router: own({}) })).toHaveLength(1)
    for (const odd of [16, -2])
      expect(() => first({ router: own({ experts: new Int32Array(256).fill(odd) }) })).toThrow(
        `simulate: experts must be from 0 to 15, or −1, each once a token, got ${odd}`,
      )
    const twice = { topK: 2, experts: new Int32Array(512).fill(3), weights: new Float32Array(512) }
    expect(() => first({ router: own(twice) })).toThrow('each once a token, got 3')
    for (const short of [{ experts: new Int32Array(255) }, { weights: new Float32Array(1) }])
      expect(() => first({ router: own(short) })).toThrow(
        'a routing must hold 256 × 1 experts and as many weights',
      )
  })
})

describe('softmax after top-k', () => {
  const after = { ...router, scoreFunction: 'softmax', softmaxOrder: 'afterTopK' } as const

  test('goes without balancing, and is refused with a bias that has moved', () => {
    expect(lines({ ...setup, router: after, balance: noBalance }, 2)).toHaveLength(2)
    expect(() => lines({ ...setup, router: after }, 2)).toThrow('takes no bias')
  })
})

describe('hidden states', () => {
  test('go through a router weight, one a layer', () => {
    const weights = [0, 1].map((layer) =>
      Float32Array.from({ length: 16 * 4 }, (_, i) => Math.sin(i + layer)),
    )
    const hidden = {
      ...setup,
      router: linearRouter(router, weights),
      workload: hiddenDomains({ hiddenSize: 4 }),
      numExperts: 16,
      layers: 2,
    }
    const [report] = simulate({ ...hidden, steps: 1 })
    expect(report.load.reduce((sum, count) => sum + count, 0)).toBe(2 * 512)
    expect(report.load.slice(0, 16)).not.toEqual(report.load.slice(16))
  })
})

describe('domains', () => {
  test('are the same tokens in every layer, come in whole sequences, and follow the mixture', () => {
    const workload = domains({ numExperts: 16, mixture: { prose: 3, code: 1 }, sequenceLength: 8 })
    const counts = [0, 0]
    for (const { batches } of simulate({ ...setup, workload, layers: 2, steps: 40 })) {
      expect(batches[1].domains).toEqual(batches[0].domains)
      expect(batches[1].logits).not.toEqual(batches[0].logits)
      batches[0].domains!.forEach((domain, token, all) => {
        counts[domain]++
        if (token % 8 > 0) expect(domain).toBe(all[token - 1])
      })
      expect(batches[0].positions!.slice(0, 9)).toEqual(Int32Array.of(0, 1, 2, 3, 4, 5, 6, 7, 0))
    }
    const share = counts[0] / (counts[0] + counts[1]) // of 1280 sequences
    expect(Math.abs(share - 0.75)).toBeLessThan(4 * Math.sqrt((0.75 * 0.25) / 1280))
  })

  test('may shift from step to step, and sequences are counted on', () => {
    const workload = domains({
      numExperts: 16,
      mixture: (step) => ({ a: step < 2 ? 1 : 0, b: step < 2 ? 0 : 1 }),
    })
    const reports = [...simulate({ ...setup, workload, steps: 4 })]
    expect(reports.map(({ batches }) => batches[0].domains![0])).toEqual([0, 0, 1, 1])
    expect(reports.map(({ batches }) => batches[0].sequences![255])).toEqual([3, 7, 11, 15])
  })

  test('are Nemotron’s 15 categories unless given', () => {
    const [{ batches }] = simulate({
      ...setup,
      workload: domains({ numExperts: 16, sequenceLength: 1 }),
      steps: 1,
    })
    expect(new Set(batches[0].domains).size).toBe(15)
  })

  test.each<[object, string]>([
    [{ mixture: {} }, 'at least one domain'],
    [{ mixture: { a: -1 } }, "the share of 'a' must be"],
    [{ mixture: { a: 0 } }, 'at least one share must be above 0'],
    [{ sequenceLength: 0 }, 'sequenceLength must be'],
    [{ preference: Number.NaN }, 'preference must be finite'],
    [{ numExperts: 0 }, 'numExperts must be'],
  ])('refuse %o', (change, message) => {
    expect(() => [
      ...simulate({ ...setup, workload: domains({ numExperts: 16, ...change }), steps: 1 }),
    ]).toThrow(message)
  })
})

test('a rule sees the scores of each micro-batch as they were, though the workload writes over its logits since', () => {
  const draw = gaussian({ numExperts: 8, skew: 0.5 })
  const logits = new Float32Array(100 * 8)
  const reusing: Workload = (context) => {
    logits.set(draw(context).logits!)
    return { tokens: 100, logits }
  }
  const biases = (workload: Workload): Float32Array[] => {
    const router: RouterConfig = {
      numExperts: 8,
      topK: 2,
      scoreFunction: 'sigmoid',
      normalize: true,
      scale: 1,
    }
    const setup = {
      router,
      workload,
      balance: histogramQuantileBalance({}),
      tokensPerStep: 100,
      updateEvery: 2,
    }
    return Array.from(simulate({ ...setup, steps: 5 }), ({ bias }) => bias)
  }
  expect(biases(reusing)).toEqual(biases(draw))
})
