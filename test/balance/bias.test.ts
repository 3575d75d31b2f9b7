import { type Balance, biasBalance, gaussian, noBalance, simulate } from 'moesim'
import { describe, expect, test } from 'vitest'

const u = Math.fround(1e-3)
const updated = (options: Parameters<typeof biasBalance>[0], load: number[]): number[] => {
  const rule = biasBalance(options)
  return [...rule.bias(rule.update(rule.init(load.length), Int32Array.from(load)))]
}

describe('the sign rule', () => {
  test('moves every bias by u: down where the load is above the mean, up where below, not where equal', () => {
    expect(updated({ rate: 1e-3 }, [10, 6, 4, 4])).toEqual([-u, 0, u, u])
  })

  test('compares whole numbers, so that a mean of 1/3 is no rounding error away from itself', () => {
    expect(updated({ rate: 1e-3 }, [1, 1, 1])).toEqual([0, 0, 0])
    expect(updated({ rate: 1e-3 }, [0, 1, 0])).toEqual([u, -u, u])
  })

  test('centred, subtracts the mean of the update, as torchtitan does', () => {
    const centred = updated({ rate: 1e-3, center: true }, [10, 6, 4, 4])
    ;[-0.00125, -0.00025, 0.00075, 0.00075].forEach((wanted, e) => expect(centred[e]).toBeCloseTo(wanted, 9))
  })

  test('agrees with torchtitan’s own test: counts 10 and 0 at rate 0.1', () => {
    const [a, b] = updated({ rate: 0.1, center: true }, [10, 0])
    expect([a, b]).toEqual([-Math.fround(0.1), Math.fround(0.1)])
  })

  test('keeps its state in float32: 1,000 steps of 1e-3 are what float32 makes of them', () => {
    const rule = biasBalance({ rate: 1e-3 })
    let state = rule.init(2)
    let wanted = 0
    for (let i = 0; i < 1000; i++) {
      state = rule.update(state, Int32Array.of(0, 2))
      wanted = Math.fround(wanted + u)
    }
    expect(rule.bias(state)[0]).toBe(wanted)
    expect(wanted).not.toBe(1)
    expect(state.updates).toBe(1000)
  })
})

describe('the proportional rule', () => {
  test.each([
    ['tokens', [-4, 0, 2, 2]],
    ['mean', [-4 / 6, 0, 2 / 6, 2 / 6]],
    ['fraction', [-4 / 24, 0, 2 / 24, 2 / 24]],
  ] as const)('moves by u times the shortfall in units of %s', (unit, errors) => {
    const bias = updated({ rate: 0.5, rule: 'proportional', unit }, [10, 6, 4, 4])
    errors.forEach((error, e) => expect(bias[e]).toBeCloseTo(0.5 * error, 7))
  })

  test('leaves the bias alone without any load', () => {
    expect(updated({ rate: 1, rule: 'proportional', unit: 'mean' }, [0, 0])).toEqual([0, 0])
  })

  test('conserves the mean bias, which the sign rule lets drift', () => {
    const mean = (bias: ArrayLike<number>): number =>
      Array.from(bias).reduce((sum, b) => sum + b, 0) / bias.length
    const skewed = [90, 5, 3, 2]
    expect(Math.abs(mean(updated({ rate: 0.1, rule: 'proportional', unit: 'mean' }, skewed)))).toBeLessThan(
      1e-8,
    )
    expect(mean(updated({ rate: 0.1 }, skewed))).toBeCloseTo(0.05, 6)
  })
})

describe('the rate', () => {
  test('may follow a schedule of the updates made so far', () => {
    const rule = biasBalance({ rate: (update) => (update < 2 ? 0.5 : 0) })
    let state = rule.init(2)
    const seen = [0, 1, 2, 3].map(() => {
      state = rule.update(state, Int32Array.of(0, 2))
      return rule.bias(state)[0]
    })
    expect(seen).toEqual([0.5, 1, 1, 1])
  })
})

describe('refusals', () => {
  test.each([
    [{ rate: Number.NaN }, 'rate must be a finite number, 0 or more, or a schedule'],
    [{ rate: -1e-3 }, 'rate must be a finite number, 0 or more, or a schedule'],
    [{ rate: '1e-3' }, 'rate must be a finite number, 0 or more, or a schedule'],
    [{ rate: 1, rule: 'tanh' }, "rule must be 'sign' or 'proportional'"],
    [{ rate: 1, rule: 'proportional' }, "unit must be 'mean', 'fraction' or 'tokens'"],
    [{ rate: 1, rule: 'proportional', unit: 'percent' }, "unit must be 'mean', 'fraction' or 'tokens'"],
    [{ rate: 1, unit: 'mean' }, 'is not for the sign rule'],
  ])('%o', (options, message) => {
    expect(() => biasBalance(options as Parameters<typeof biasBalance>[0])).toThrow(message)
  })
})

describe('the protocol is open', () => {
  /** A rule of one's own: only the most loaded expert is pushed down. */
  const tallPoppy: Balance<number[]> = {
    init: (numExperts) => new Array(numExperts).fill(0),
    update: (state, load) => state.map((b, e) => (load[e] === Math.max(...load) ? b - 0.01 : b)),
    bias: (state) => Float32Array.from(state),
  }
  const setup = {
    router: { numExperts: 8, topK: 2, scoreFunction: 'sigmoid', normalize: true, scale: 1 },
    workload: gaussian({ numExperts: 8, skew: 0.5 }),
    tokensPerStep: 512,
    steps: 120,
  } as const

  test('no balancing leaves the imbalance where it was, and a hand-written rule mends it', () => {
    const still = [...simulate({ ...setup, balance: noBalance })]
    const mended = [...simulate({ ...setup, balance: tallPoppy })]
    expect(still.every((report) => report.maxViolation > 0.5)).toBe(true)
    const settled = mended.slice(-20).map((report) => report.maxViolation)
    expect(settled.reduce((sum, value) => sum + value) / 20).toBeLessThan(0.25)
    expect(still.at(-1)!.bias.every((value) => value === 0)).toBe(true)
    expect(mended[0].load).toEqual(still[0].load)
  })
})
