import fc from 'fast-check'
import {
  biasBalance,
  gaussian,
  noBalance,
  type RouterConfig,
  reportToJson,
  type Setup,
  type StepReport,
  simulate,
  type Workload,
} from 'moesim'
import { expect, test } from 'vitest'
import { withoutWebAssembly } from '../kernels/plain.js'

const base: RouterConfig = { numExperts: 24, topK: 3, scoreFunction: 'sigmoid', normalize: true, scale: 2.5 }
const balance = biasBalance({ rate: 5e-3 })

/** The same workload, not telling that its logits are normals: so each step goes by the protocol. */
const untold =
  (workload: Workload): Workload =>
  (context) =>
    workload(context)

const run = <State>(setup: Setup<State>): StepReport[] => [...simulate({ ...setup, steps: 4 })]

const asJson = (reports: StepReport[]): string =>
  JSON.stringify(reports.map((report) => [reportToJson(report), report.snapshot()]))

test('steps in the kernel are the steps by the protocol, to the last byte', () => {
  const routers = fc.record({
    numExperts: fc.constantFrom(1, 8, 24, 130),
    topK: fc.integer({ min: 1, max: 8 }),
    scoreFunction: fc.constantFrom('sigmoid', 'softmax', 'sqrtsoftplus'),
    groups: fc.boolean(),
  })
  const cases = fc.record({
    router: routers,
    tokensPerStep: fc.constantFrom(1, 17, 300, 1500),
    layers: fc.integer({ min: 1, max: 3 }),
    updateEvery: fc.integer({ min: 1, max: 2 }),
    skew: fc.constantFrom(0, 0.5, 20),
    seed: fc.integer(),
  })
  fc.assert(
    fc.property(cases, ({ router: { groups, ...sizes }, skew, ...sized }) => {
      const topK = Math.min(sizes.topK, sizes.numExperts)
      const grouped = groups && sizes.numExperts === 24 ? { numGroups: 4, topGroups: 2 } : {}
      const router = { ...base, ...sizes, topK, ...grouped } as RouterConfig
      const workload = gaussian({ numExperts: router.numExperts, skew })
      const setup = { ...sized, router, balance }
      const inKernel = run({ ...setup, workload })
      const byProtocol = run({ ...setup, workload: untold(workload) })
      expect(asJson(inKernel)).toBe(asJson(byProtocol))
      const last = inKernel[3]
      expect(last.routings).toEqual(byProtocol[3].routings)
      expect(last.batches).toEqual(byProtocol[3].batches)
    }),
    { numRuns: 40 },
  )
})

test('they are made without a kernel where WebAssembly is forbidden', () => {
  const setup = {
    tokensPerStep: 300,
    router: base,
    balance,
    workload: gaussian({ numExperts: 24, skew: 0.5 }),
  }
  expect(withoutWebAssembly(() => asJson(run(setup)))).toBe(asJson(run(setup)))
})

test('what a step has drawn and routed is made again when asked for, once', () => {
  const [report] = run({ tokensPerStep: 300, router: base, balance, workload: gaussian({ numExperts: 24 }) })
  expect(report.batches[0].logits).toHaveLength(300 * 24)
  expect(report.routings[0].experts).toHaveLength(300 * 3)
  expect(report.routings[0]).toBe(report.routings[0])
})

test('logits that would be masked or refused go by the protocol, which says so', () => {
  const offsets = new Float64Array(24)
  offsets[3] = 1e300
  const setup = { tokensPerStep: 300, router: base, balance }
  expect(() => run({ ...setup, workload: gaussian({ numExperts: 24, offsets }) })).toThrow(
    'the logit of token 0 for expert 3 must be a number below +∞',
  )
  offsets[3] = Number.NEGATIVE_INFINITY
  for (const { load } of run({ ...setup, workload: gaussian({ numExperts: 24, offsets }) })) {
    expect(load[3]).toBe(0)
  }
})

test('softmax after top-k takes no bias in the kernel either', () => {
  const router: RouterConfig = { ...base, scoreFunction: 'softmax', softmaxOrder: 'afterTopK' }
  const workload = gaussian({ numExperts: 24, skew: 0.5 })
  expect(run({ tokensPerStep: 300, router, workload, balance: noBalance })).toHaveLength(4)
  expect(() => run({ tokensPerStep: 300, router, workload, balance })).toThrow('takes no bias')
})

test('a router and a workload that disagree about the experts are refused as by the protocol', () => {
  const workload = gaussian({ numExperts: 16 })
  expect(() => run({ tokensPerStep: 300, router: base, workload, balance })).toThrow(
    'logits must hold 300 tokens × 24 experts',
  )
})
