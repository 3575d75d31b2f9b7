import { createHash } from 'node:crypto'
import fc from 'fast-check'
import {
  type Balance,
  biasBalance,
  gaussian,
  hiddenGaussian,
  linearRouter,
  loadOf,
  noBalance,
  type RouterConfig,
  reportToJson,
  type Setup,
  type StepReport,
  simulate,
  streams,
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

/** The tokens of a report and where they went, each array by its hash: comparing them by element takes seconds. */
const madeAgain = ({ batches, routings }: StepReport): object[] =>
  [...batches, ...routings].map((record) =>
    Object.fromEntries(
      Object.entries(record).map(([name, value]) => [
        name,
        ArrayBuffer.isView(value)
          ? createHash('md5').update(new Uint8Array(value.buffer)).digest('hex')
          : value,
      ]),
    ),
  )

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
      expect(madeAgain(inKernel[3])).toEqual(madeAgain(byProtocol[3]))
    }),
    { numRuns: 40 },
  )
})

/** A router weight [E, D] a layer, N(0, 1 / D). */
function weightsOf(numExperts: number, hiddenSize: number, layers: number): Float32Array[] {
  const random = streams('weights')('router')
  return Array.from({ length: layers }, (_, layer) => {
    const draws = random.at(layer)
    return Float32Array.from(
      { length: numExperts * hiddenSize },
      () => draws.normal() / Math.sqrt(hiddenSize),
    )
  })
}

test('so are those of hidden states through a linear router, each layer with its weight', () => {
  const cases = fc.record({
    numExperts: fc.constantFrom(1, 8, 24, 130, 144),
    hiddenSize: fc.constantFrom(1, 7, 64, 301),
    topK: fc.integer({ min: 1, max: 8 }),
    scoreFunction: fc.constantFrom('sigmoid', 'softmax', 'sqrtsoftplus'),
    spread: fc.constantFrom(0.5, 30),
    tokensPerStep: fc.constantFrom(1, 17, 300, 1500),
    layers: fc.integer({ min: 1, max: 3 }),
    seed: fc.integer(),
  })
  fc.assert(
    fc.property(cases, ({ numExperts, hiddenSize, scoreFunction, spread, layers, ...sized }) => {
      const topK = Math.min(sized.topK, numExperts)
      const config: RouterConfig = { ...base, numExperts, topK, scoreFunction }
      const router = linearRouter(config, weightsOf(numExperts, hiddenSize, layers))
      const workload = hiddenGaussian({ hiddenSize, spread })
      const { tokensPerStep, seed } = sized
      const setup = { router, numExperts, balance, tokensPerStep, layers, seed }
      const inKernel = run({ ...setup, workload })
      const byProtocol = run({ ...setup, workload: untold(workload) })
      expect(asJson(inKernel)).toBe(asJson(byProtocol))
      expect(madeAgain(inKernel[3])).toEqual(madeAgain(byProtocol[3]))
    }),
    { numRuns: 30 },
  )
})

test('a router weight may change between steps', () => {
  const [weight] = weightsOf(24, 16, 1)
  const loads = (tell: (workload: Workload) => Workload): Int32Array[] => {
    const changing = weight.slice()
    const router = linearRouter(base, changing)
    const workload = tell(hiddenGaussian({ hiddenSize: 16 }))
    const reports = simulate({ router, numExperts: 24, workload, balance, tokensPerStep: 200, steps: 2 })
    return Array.from(reports, ({ load }) => {
      changing.fill(0)
      return load
    })
  }
  expect(loads((workload) => workload)).toEqual(loads(untold))
})

test.each([
  ['must be finite', Float32Array.of(0, Number.NaN)],
  ['must be finite', Float32Array.of(Number.NEGATIVE_INFINITY, 0)],
  ['must be a Float32Array', [0, 0] as unknown as Float32Array],
])('a bias that %s is refused as by the protocol', (rule, bias) => {
  const wrong: Balance<Float32Array> = { ...noBalance, bias: () => bias }
  const router = { ...base, numExperts: 2, topK: 1 }
  const workload = gaussian({ numExperts: 2 })
  const setup = { tokensPerStep: 30, balance: wrong, router }
  expect(() => run({ ...setup, workload })).toThrow(rule)
  expect(() => run({ ...setup, workload: untold(workload) })).toThrow(rule)
})

test('routings made again are those of the step, though the rule has written over its bias since', () => {
  const overwriting: Balance<Float32Array> = {
    ...noBalance,
    update: (bias, load) => {
      bias.forEach((_, e) => {
        bias[e] -= load[e] / 1000
      })
      return bias
    },
  }
  const setup = {
    tokensPerStep: 300,
    router: base,
    balance: overwriting,
    workload: gaussian({ numExperts: 24 }),
  }
  const [first] = simulate({ ...setup, steps: 2 })
  for (const { load, routings } of simulate({ ...setup, steps: 3 })) {
    expect(loadOf(routings[0])).toEqual(load)
  }
  expect(loadOf(first.routings[0])).toEqual(first.load)
})

test('weights and experts that do not fit are refused as by the protocol', () => {
  const setup = { tokensPerStep: 31, balance, numExperts: 24 }
  const workload = hiddenGaussian({ hiddenSize: 16 })
  const router = linearRouter(base, weightsOf(24, 15, 2))
  expect(() => run({ ...setup, router, workload })).toThrow('hidden must hold rows of D = 15 values')
  const right = linearRouter(base, weightsOf(24, 16, 2))
  expect(() => run({ ...setup, router: right, workload, numExperts: 25 })).toThrow('route: bias must be')
  expect(() => run({ ...setup, router: right, workload, layers: 3 })).toThrow('a weight for every layer')
  const huge = weightsOf(24, 16, 1)
  huge[0][5] = Number.POSITIVE_INFINITY
  expect(() => run({ ...setup, router: linearRouter(base, huge), workload })).toThrow(
    'must be a number below +∞',
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

test('the arrays of a report belong to the caller: what is written into them reaches no later step', () => {
  const workload = gaussian({ numExperts: 24, skew: 1 })
  for (const own of [workload, untold(workload)]) {
    const setup = { router: base, workload: own, balance, layers: 2, tokensPerStep: 40 }
    const left = run(setup).map((report) => asJson([report]))
    const told: string[] = []
    for (const report of simulate({ ...setup, steps: 4 })) {
      told.push(asJson([report]))
      const { load, bias, maxViolationByLayer } = report
      for (const array of [load, bias, maxViolationByLayer]) array.fill(7)
    }
    expect(told).toEqual(left)
  }
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
  const through = {
    router: linearRouter(router, weightsOf(24, 16, 1)),
    numExperts: 24,
    workload: hiddenGaussian({ hiddenSize: 16 }),
    tokensPerStep: 300,
  }
  expect(run({ ...through, balance: noBalance })).toHaveLength(4)
  expect(() => run({ ...through, balance })).toThrow('takes no bias')
})

test('a router and a workload that disagree about the experts are refused as by the protocol', () => {
  const workload = gaussian({ numExperts: 16 })
  expect(() => run({ tokensPerStep: 300, router: base, workload, balance })).toThrow(
    'logits must hold 300 tokens × 24 experts',
  )
})
