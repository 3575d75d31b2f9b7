import fc from 'fast-check'
import {
  asRouter,
  type Balance,
  type BiasState,
  biasBalance,
  gaussian,
  loadOf,
  type Router,
  type RouterConfig,
  type Routing,
  type Setup,
  simulate,
} from 'moesim'
import { describe, expect, test } from 'vitest'
import {
  countedTwice,
  countsAgainstShares,
  everyMicroBatch,
  from,
  keptInBf16,
} from '../examples/museum/balances.js'
import {
  biasInWeights,
  biasLoadedAsBf16,
  groupsByOtherRank,
  maskOfZero,
  normalizedAtOne,
  paddingLeftOut,
  scaleTwice,
  scaleUnlessNormalized,
  softmaxUnderBias,
} from '../examples/museum/routers.js'
import { denseWeights, runScored } from './router/run.js'
import { chosen } from './routings.js'

const [E, K] = [8, 2]
const config: RouterConfig = { numExperts: E, topK: K, scoreFunction: 'sigmoid', normalize: true, scale: 2.5 }
const grouped: RouterConfig = { ...config, topK: 4, numGroups: 4, topGroups: 2 }

type Policy = Router | RouterConfig

function run(
  policy: Policy,
  logits: ArrayLike<number>,
  bias: ArrayLike<number> = new Float32Array(E),
): Routing {
  const batch = { tokens: logits.length / bias.length, logits: Float32Array.from(logits) }
  return runScored(asRouter(policy), batch, { bias: Float32Array.from(bias) })
}

/** What a routing does, whatever it tells of its scores. */
const effect = ({ experts, weights }: Routing) => ({ experts, weights })

/** Rows of distinct logits, and a bias: multiples of 1/64, so that float32 loses nothing that would matter. */
const batches = fc
  .array(fc.uniqueArray(fc.integer({ min: -256, max: 256 }), { minLength: E, maxLength: E }), {
    maxLength: 9,
  })
  .map((rows) => rows.flat().map((n) => n / 64))
const biases = (min: number, max: number) =>
  fc
    .array(fc.integer({ min, max }), { minLength: E, maxLength: E })
    .map((values) => values.map((n) => n / 64))

/** The bias after one update. */
const moved = <State>(rule: Balance<State>, load: number[]): number[] => [
  ...rule.bias(rule.update(rule.init(load.length), Int32Array.from(load))),
]
const loads = fc.array(fc.nat(999), { minLength: E, maxLength: E })

interface Exhibit<Thing> {
  right: Thing
  wrong: Thing
  /** Throws where it is broken. */
  law: (thing: Thing) => void
  /** Holds for the bug as for the right one: it sits where the law says, and nowhere else. */
  alike: (right: Thing, wrong: Thing) => void
}

/** Our code keeps the law; the bug breaks the very same assertion; and they differ nowhere else. */
function exhibit<Thing>(bug: string, { right, wrong, law, alike }: Exhibit<Thing>): void {
  describe(bug, () => {
    test('is not here', () => law(right))
    test('would be found', () => expect(failureOf(() => law(wrong))).toBe('AssertionError'))
    test('differs in nothing else', () => alike(right, wrong))
  })
}

/** What kind of error a check throws, or the property in it: an assertion that fails, not a bug that cannot run. */
function failureOf(check: () => void): string | undefined {
  try {
    check()
  } catch (error) {
    const { name, cause } = error as Error
    return cause instanceof Error ? cause.name : name
  }
  return undefined
}

exhibit<Policy>('the bias in the weights', {
  right: config,
  wrong: biasInWeights(config),
  law: (policy) => {
    const [plain, biased] = [0, 0.5].map((b) =>
      run(policy, [2, 1, 0, 0, 0, 0, 0, 0], [0, b, 0, 0, 0, 0, 0, 0]),
    )
    expect(chosen(biased)[0].sort()).toEqual(chosen(plain)[0].sort())
    denseWeights(biased).forEach((weight, e) => expect(weight).toBeCloseTo(denseWeights(plain)[e], 6))
  },
  alike: (right, wrong) =>
    fc.assert(
      fc.property(batches, biases(-64, 64), (logits, bias) => {
        expect(run(wrong, logits, bias).experts).toEqual(run(right, logits, bias).experts)
        expect(effect(run(wrong, logits))).toEqual(effect(run(right, logits)))
      }),
    ),
})

exhibit<Policy>('a bias of 5 loaded as bf16', {
  right: config,
  wrong: biasLoadedAsBf16(config),
  law: (policy) => {
    const bias = [5, 5, 5, 5, 5, 5, 5 + 1 / 128, 5 + 1 / 128]
    expect(chosen(run(policy, new Float32Array(E), bias))).toEqual([[6, 7]])
  },
  alike: (right, wrong) =>
    fc.assert(
      fc.property(batches, biases(-10, 10), (logits, bias) => {
        const even = bias.map((value) => 5 + 2 * value) // multiples of 1/32 above 4, which bf16 holds
        expect(effect(run(wrong, logits, even))).toEqual(effect(run(right, logits, even)))
      }),
    ),
})

exhibit<Policy>('groups masked with 0 instead of −∞', {
  right: grouped,
  wrong: maskOfZero(grouped),
  law: (policy) => {
    // A bias that is the same for all experts chooses nothing, so that those of the two best groups stay.
    const logits = [3, 2, 1.5, 1, 0.5, 0, -1, -2]
    for (const drift of [0, -1]) {
      expect(chosen(run(policy, logits, new Float32Array(E).fill(drift)))).toEqual([[0, 1, 2, 3]])
    }
  },
  alike: (right, wrong) =>
    fc.assert(
      fc.property(batches, biases(0, 64), (logits, bias) => {
        expect(effect(run(wrong, logits, bias))).toEqual(effect(run(right, logits, bias)))
      }),
    ),
})

exhibit<RouterConfig>('groups ranked by ⌊K / topGroups⌋ where the model was trained with two', {
  right: { ...grouped, topK: 2 },
  wrong: groupsByOtherRank({ ...grouped, topK: 2 }),
  law: (policy) => {
    // Two experts of score 0.87 and 0.86 together outweigh one of 0.95 beside one of 0.05.
    const logits = [3, -3, 2.5, -3, 1.9, 1.9, 1.8, 1.8]
    expect(chosen(run(policy, logits))).toEqual([[4, 5]])
  },
  alike: (right, wrong) =>
    fc.assert(
      fc.property(batches, biases(-64, 64), (logits, bias) => {
        const four = groupsByOtherRank({ ...wrong, topK: 4 }) // 4 of 2 groups: two each, as in DeepSeek-V3
        expect(run(four, logits, bias)).toEqual(run({ ...right, topK: 4 }, logits, bias))
      }),
    ),
})

exhibit<RouterConfig>('softmax under a bias that was learnt beside sigmoid scores', {
  right: config,
  wrong: softmaxUnderBias(config),
  law: (policy) => {
    // σ(1) − σ(0) = 0.23: a bias of 0.2 does not make up for it, whatever the other experts are worth.
    const bias = [0, 0, 0.2, 0, 0, 0, 0, 0]
    for (const others of [-4, 0.5]) {
      const logits = [1, 1, 0, others, others, others, others, others]
      expect(chosen(run(policy, logits, bias))).toEqual([[0, 1]])
    }
  },
  alike: (right, wrong) =>
    fc.assert(
      fc.property(batches, (logits) => {
        expect(run(wrong, logits).experts).toEqual(run(right, logits).experts)
      }),
    ),
})

const sumsTo = (scale: number) => (policy: RouterConfig) =>
  fc.assert(
    fc.property(batches, biases(-64, 64), (logits, bias) => {
      const { weights, tokens } = run(policy, logits, bias)
      for (let token = 0; token < tokens; token++) {
        expect(weights[2 * token] + weights[2 * token + 1]).toBeCloseTo(scale, 5)
      }
    }),
  )

exhibit<RouterConfig>('the scale forgotten on normalised weights', {
  right: config,
  wrong: scaleUnlessNormalized(config),
  law: sumsTo(2.5),
  alike: (right) => {
    const raw = { ...right, normalize: false }
    expect(scaleUnlessNormalized(raw)).toEqual(raw)
  },
})

exhibit<RouterConfig>('the scale put on twice', {
  right: config,
  wrong: scaleTwice(config),
  law: sumsTo(2.5),
  alike: (right) => {
    const unscaled = { ...right, scale: 1 }
    expect(scaleTwice(unscaled)).toEqual(unscaled)
  },
})

const single: RouterConfig = { ...config, topK: 1, normalize: false, scale: 1 }
exhibit<RouterConfig>('K = 1 and normalised', {
  right: single,
  wrong: normalizedAtOne(single),
  law: (policy) => {
    const [weak, strong] = run(policy, [1, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0]).weights
    expect(strong).toBeGreaterThan(weak)
  },
  alike: (right, wrong) =>
    fc.assert(
      fc.property(batches, biases(-64, 64), (logits, bias) => {
        expect(run(wrong, logits, bias).experts).toEqual(run(right, logits, bias).experts)
      }),
    ),
})

const atFive = from(5, biasBalance({ rate: 1e-3 }))
exhibit<Balance<BiasState>>('the bias kept in bf16', {
  right: atFive,
  wrong: keptInBf16(atFive),
  law: (rule) => {
    moved(rule, [10, 6, 4, 4]).forEach((bias, e) => expect(bias - 5).toBeCloseTo([-1, 0, 1, 1][e] * 1e-3, 6))
  },
  alike: () => {
    const even = biasBalance({ rate: 1 / 1024 }) // from 0 with a power of two: nothing to round for 256 steps
    fc.assert(
      fc.property(loads, (load) => {
        expect(moved(keptInBf16(even), load)).toEqual(moved(even, load))
      }),
    )
  },
})

const [microBatches, u] = [4, 1 / 64]
const accumulating: Setup<BiasState> = {
  router: config,
  balance: biasBalance({ rate: u }),
  workload: gaussian({ numExperts: E, skew: 1 }),
  tokensPerStep: 64,
  steps: microBatches + 1,
  updateEvery: microBatches,
}
exhibit<Setup<BiasState>>('the bias moved at every micro-batch', {
  right: accumulating,
  wrong: everyMicroBatch(accumulating),
  law: (setup) => {
    const after = [...simulate(setup)][microBatches].bias
    expect(Math.max(...after.map(Math.abs))).toBe(u)
  },
  alike: (right) => {
    const whole = { ...right, updateEvery: 1 }
    expect([...simulate(everyMicroBatch(whole))].map(({ bias }) => bias)).toEqual(
      [...simulate(whole)].map(({ bias }) => bias),
    )
  },
})

const inTokens = biasBalance({ rate: 1e-3, rule: 'proportional', unit: 'tokens' })
exhibit<Balance<BiasState>>('tokens counted twice, by recomputation', {
  right: inTokens,
  wrong: countedTwice(inTokens),
  law: (rule) => {
    moved(rule, [10, 6, 4, 4]).forEach((bias, e) => expect(bias).toBeCloseTo([-4, 0, 2, 2][e] * 1e-3, 8))
  },
  alike: () => {
    const harmless = [
      biasBalance({ rate: 1e-3 }),
      biasBalance({ rate: 1e-3, center: true }),
      biasBalance({ rate: 1e-3, rule: 'proportional', unit: 'mean' }),
      biasBalance({ rate: 1e-3, rule: 'proportional', unit: 'fraction' }),
    ]
    for (const rule of harmless) {
      fc.assert(
        fc.property(loads, (load) => {
          expect(moved(countedTwice(rule), load)).toEqual(moved(rule, load))
        }),
      )
    }
  },
})

exhibit<Balance<BiasState> | Balance<Float32Array>>('counts compared with shares', {
  right: biasBalance({ rate: u }),
  wrong: countsAgainstShares(u),
  law: (rule) => expect(moved(rule as Balance<unknown>, [10, 6, 4, 4])).toEqual([-u, 0, u, u]),
  alike: (right, wrong) => {
    const idleBesideOne = [24, 0, 0, 0] // only an expert without any token is seen as it is
    expect(moved(wrong as Balance<unknown>, idleBesideOne)).toEqual(
      moved(right as Balance<unknown>, idleBesideOne),
    )
  },
})

exhibit<Balance<BiasState>>('an update that is not centred', {
  right: biasBalance({ rate: u, center: true }),
  wrong: biasBalance({ rate: u }),
  law: (rule) => {
    const mean = moved(rule, [90, 5, 3, 2]).reduce((sum, bias) => sum + bias, 0) / 4
    expect(mean).toBeCloseTo(0, 8)
  },
  alike: (right, wrong) =>
    fc.assert(
      fc.property(batches, loads, (logits, load) => {
        expect(run(config, logits, moved(wrong, load)).experts).toEqual(
          run(config, logits, moved(right, load)).experts,
        )
      }),
    ),
})

exhibit<(valid: number) => Policy>('padding counted in the load', {
  right: (valid) => paddingLeftOut(config, valid),
  wrong: () => config,
  law: (policyFor) =>
    fc.assert(
      fc.property(batches, fc.nat(3), (logits, padding) => {
        const valid = Math.max(0, logits.length / E - padding)
        const counted = loadOf(run(policyFor(valid), logits))
        expect(counted).toEqual(loadOf(run(config, logits.slice(0, valid * E))))
      }),
    ),
  alike: (right, wrong) =>
    fc.assert(
      fc.property(batches, biases(-64, 64), (logits, bias) => {
        const all = logits.length / E
        expect(effect(run(wrong(all), logits, bias))).toEqual(effect(run(right(all), logits, bias)))
      }),
    ),
})
