import fc from 'fast-check'
import { biasBalance, piecewiseSchedule, smebuBalance } from 'moesim'
import { describe, expect, test } from 'vitest'
import { expectClose } from '../golden.js'

const updated = (options: Parameters<typeof smebuBalance>[0], loads: number[][]): Float32Array => {
  const rule = smebuBalance(options)
  return rule.bias(
    loads.reduce((state, load) => rule.update(state, Int32Array.from(load)), rule.init(loads[0].length)),
  )
}

describe('soft-clamped momentum updates', () => {
  // From a published walk-through of Arcee Trinity's rule, which rounds to three digits on its way.
  const worked = [4, 3, 1, 8]

  test('agree with the worked example, where the centred sign rule steps three times as far at the end', () => {
    expectClose(updated({ rate: 0.1 }, [worked]), [-0.0051, 0.0181, 0.0402, -0.0532], { abs: 1e-4 }, 'smebu')
    const sign = biasBalance({ rate: 0.1, center: true })
    const bias = sign.bias(sign.update(sign.init(4), Int32Array.from(worked)))
    expectClose(bias, [-0.025, 0.075, 0.075, -0.125], { abs: 1e-7 }, 'centred sign')
  })

  test('are λ (1 − β) times the centred tanh of κ times the shortfall, to float32', () => {
    const steps = [4, 3, 1, 8].map((count) => 0.1 * Math.tanh(1.5 * (1 - count / 4)))
    const mean = steps.reduce((sum, step) => sum + step, 0) / 4
    const wanted = steps.map((step) => 0.25 * (step - mean))
    expectClose(
      updated({ rate: 0.1, kappa: 1.5, momentum: 0.75 }, [worked]),
      wanted,
      { abs: 1e-8, rel: 2e-7 },
      'steps',
    )
  })

  test('carry on by momentum: after balance is reached the last step goes on, halved each time', () => {
    const even = [4, 4, 4, 4]
    const [one, two, three] = [0, 1, 2].map((more) =>
      updated({ rate: 0.1 }, [worked, ...Array.from({ length: more }, () => even)]),
    )
    expectClose(
      two,
      one.map((b) => 1.5 * b),
      { abs: 1e-8 },
      'after one',
    )
    expectClose(
      three,
      one.map((b) => 1.75 * b),
      { abs: 1e-8 },
      'after two',
    )
    expect(updated({ rate: 0.1, momentum: 0 }, [worked, even])).toEqual(
      updated({ rate: 0.1, momentum: 0 }, [worked]),
    )
  })

  test('become the centred sign rule as κ grows', () => {
    const sign = biasBalance({ rate: 1e-3, center: true })
    expectClose(
      updated({ rate: 1e-3, kappa: 1e6, momentum: 0 }, [worked]),
      sign.bias(sign.update(sign.init(4), Int32Array.from(worked))),
      { abs: 1e-9 },
      'steep',
    )
  })

  test('never move a bias by more than twice λ, nor the mean bias at all', () => {
    const loads = fc.array(fc.array(fc.nat(1000), { minLength: 6, maxLength: 6 }), {
      minLength: 1,
      maxLength: 8,
    })
    fc.assert(
      fc.property(loads, (steps) => {
        const bias = updated({ rate: 0.01 }, steps)
        expect(Math.max(...bias.map(Math.abs))).toBeLessThanOrEqual(0.02 * steps.length)
        expect(Math.abs(bias.reduce((sum, b) => sum + b, 0))).toBeLessThan(1e-7 * steps.length)
      }),
    )
  })

  test('stand still without load, and follow a schedule', () => {
    expect(updated({ rate: 1 }, [[0, 0, 0]])).toEqual(new Float32Array(3))
    const rate = piecewiseSchedule([0.1, 0], [1])
    expect(updated({ rate, momentum: 0 }, [worked, worked])).toEqual(
      updated({ rate: 0.1, momentum: 0 }, [worked]),
    )
  })

  test.each([
    [{ rate: Number.NaN }, 'smebuBalance: rate must be a finite number'],
    [{ rate: 1, kappa: 0 }, 'kappa must be a finite number above 0'],
    [{ rate: 1, kappa: Number.POSITIVE_INFINITY }, 'kappa must be'],
    [{ rate: 1, momentum: 1 }, 'momentum must be in [0, 1)'],
    [{ rate: 1, momentum: -0.1 }, 'momentum must be in [0, 1)'],
  ])('refuse %o', (options, message) => {
    expect(() => smebuBalance(options)).toThrow(message)
  })
})
