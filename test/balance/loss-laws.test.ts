import fc from 'fast-check'
import {
  addLosses,
  auxLoss,
  biasBalance,
  communicationLoss,
  deviceLoss,
  entropyLoss,
  gaussian,
  globalAuxLoss,
  gshardLoss,
  importanceLoss,
  type Logits,
  type Loss,
  type LossOptions,
  loadImportanceLoss,
  loadOf,
  maxViolation,
  noisyTopKLoss,
  pooledAuxLoss,
  route,
  sequenceAuxLoss,
  streams,
  switchLoss,
  zLoss,
} from 'moesim'
import { describe, expect, test } from 'vitest'

const E = 8
const router = { numExperts: E, topK: 2, scoreFunction: 'sigmoid' } as const
const softmax = { ...router, scoreFunction: 'softmax' } as const

/** Normal logits with a skew among experts, [tokens, E]. */
function draw(tokens: number, seed: number, numExperts = E, skew = 0.5): Float32Array {
  const workload = gaussian({ numExperts, skew })
  return workload({ step: 0, layer: 0, tokens, random: streams(seed) }).logits!
}

const seeds = fc.integer({ min: 0, max: 1e6 })
const row = (e: Logits, token: number): Logits => e.subarray(token * E, (token + 1) * E)

/** Every loss of one batch; what else it needs is made from the valid mask and the token's own numbers. */
const losses: Record<string, <A extends Logits>(logits: A, extras: Extras<A>) => Loss<A>> = {
  auxLoss: (logits, { options }) => auxLoss(logits, { ...router, ...options }),
  sequenceAuxLoss: (logits, { options, sequences }) =>
    sequenceAuxLoss(logits, { ...router, ...options, sequences }),
  globalAuxLoss: (logits, { options }) =>
    globalAuxLoss(logits, { ...softmax, ...options }, Float64Array.of(9, 8, 7, 6, 5, 4, 3, 2)),
  switchLoss: (logits, { options }) => switchLoss(logits, { numExperts: E, ...options }),
  gshardLoss: (logits, { options }) => gshardLoss(logits, { numExperts: E, ...options }),
  deviceLoss: (logits, { options }) => deviceLoss(logits, { ...router, devices: 4, ...options }),
  communicationLoss: (logits, { options }) =>
    communicationLoss(logits, { ...router, devices: 4, deviceLimit: 2, ...options }),
  pooledAuxLoss: (logits, { options }) => {
    const { value, gradients } = pooledAuxLoss([logits], { ...router, ...options })
    return { value, gradient: gradients[0] }
  },
  zLoss: (logits, { options }) => zLoss(logits, { numExperts: E, ...options }),
  entropyLoss: (logits, { options }) => entropyLoss(logits, { numExperts: E, ...options }),
  importanceLoss: (logits, { options }) => importanceLoss(logits, { numExperts: E, ...options }),
  noisyTopKLoss: (logits, { options, noise }) =>
    noisyTopKLoss(logits, {
      ...router,
      noise,
      deviation: Float64Array.from(noise, (value) => 0.5 + Math.abs(value)),
      ...options,
    }),
  loadImportanceLoss: (logits, { options, noise }) =>
    loadImportanceLoss(logits, { ...router, noise, gateNoise: 4, ...options }),
}

interface Extras<A extends Logits> {
  options: Partial<LossOptions>
  sequences: Int32Array
  noise: A
}

const sequencesOf = (tokens: number): Int32Array => Int32Array.from({ length: tokens }, (_, t) => t % 3)

describe.each(Object.entries(losses))('%s', (_, lossOf) => {
  test('takes no notice of padding, whatever stands there', () => {
    fc.assert(
      fc.property(seeds, fc.array(fc.boolean(), { minLength: 3, maxLength: 12 }), (seed, marks) => {
        const valid = [1, ...marks.map(Number)]
        const kept = valid.flatMap((mark, t) => (mark ? [t] : []))
        const keep = <A extends Logits>(all: A): A =>
          all.filter((_value, i) => valid[Math.floor(i / E)] === 1) as A
        const noise = draw(valid.length, seed + 1)
        const logits = draw(valid.length, seed).map((logit, i) =>
          valid[Math.floor(i / E)] ? logit : Number.NaN,
        )
        const sequences = sequencesOf(valid.length)
        const padded = lossOf(logits, { options: { valid }, sequences, noise })
        const plain = lossOf(keep(logits), {
          options: {},
          sequences: Int32Array.from(kept, (t) => sequences[t]),
          noise: keep(noise),
        })
        expect(padded.value).toBe(plain.value)
        expect(keep(padded.gradient)).toEqual(plain.gradient)
        valid.forEach((mark, t) => {
          if (mark === 0) expect(row(padded.gradient, t).every((slope) => slope === 0)).toBe(true)
        })
      }),
      { numRuns: 15 },
    )
  })

  const extras = { options: {}, sequences: sequencesOf(12), noise: draw(12, 2) }

  test('computes float32 logits in float64 and rounds the gradient once', () => {
    const logits = draw(12, 1)
    const single = lossOf(logits, extras)
    const double = lossOf(Float64Array.from(logits), { ...extras, noise: Float64Array.from(extras.noise) })
    expect(single.gradient).toBeInstanceOf(Float32Array)
    expect(double.gradient).toBeInstanceOf(Float64Array)
    expect(single.value).toBe(double.value)
    expect(single.gradient).toEqual(Float32Array.from(double.gradient))
  })

  test('is multiplied by its coefficient, value and gradient', () => {
    const logits = Float64Array.from(draw(12, 3))
    const noise = Float64Array.from(extras.noise)
    const one = lossOf(logits, { ...extras, noise })
    const some = lossOf(logits, { ...extras, noise, options: { coefficient: 1e-4 } })
    expect(some.value).toBeCloseTo(1e-4 * one.value, 15)
    one.gradient.forEach((slope, i) => expect(some.gradient[i]).toBeCloseTo(1e-4 * slope, 15))
  })

  test('gives no pull and no NaN to a masked expert, nor where there are no tokens', () => {
    const logits = Float64Array.from(draw(12, 4), (logit, i) => (i % E === 3 ? -Infinity : logit))
    const noise = Float64Array.from(extras.noise)
    const { value, gradient } = lossOf(logits, { ...extras, noise })
    expect(value).toBeGreaterThan(0)
    gradient.forEach((slope, i) => {
      if (i % E === 3) expect(Math.abs(slope)).toBe(0)
      else expect(slope).not.toBeNaN()
    })
    const none = { options: {}, sequences: new Int32Array(0), noise: new Float32Array(0) }
    expect(lossOf(new Float32Array(0), none)).toMatchObject({ value: 0, gradient: new Float32Array(0) })
  })
})

describe('the counts', () => {
  test('are those of a router without bias, even where the real one has a bias', () => {
    const logits = draw(64, 5)
    const config = { ...router, normalize: true, scale: 1 }
    const rule = biasBalance({ rate: 0.2 })
    const bias = rule.bias(rule.update(rule.init(E), loadOf(route(logits, config))))
    const routing = route(logits, config, bias)
    const plain = auxLoss(logits, router).load
    expect([...plain]).toEqual([...loadOf(route(logits, config))])
    expect([...plain]).not.toEqual([...loadOf(routing)])
    const real = auxLoss(logits, { ...router, experts: routing.experts })
    expect([...real.load]).toEqual([...loadOf(routing)])
    expect(auxLoss(logits, { ...router, load: loadOf(routing) })).toEqual(real)
  })

  test('of empty slots are nobody’s', () => {
    const experts = Int32Array.of(0, -1, 1, 0, -1, -1)
    expect([...auxLoss(draw(3, 6), { ...router, experts }).load]).toEqual([2, 1, 0, 0, 0, 0, 0, 0])
    const sequences = Int32Array.of(4, 4, 9)
    expect([...sequenceAuxLoss(draw(3, 6), { ...router, experts, sequences }).load]).toEqual([
      2,
      1,
      ...new Array(2 * E - 2).fill(0),
    ])
    const nothing = auxLoss(draw(1, 6), { ...router, experts: Int32Array.of(-1, -1) })
    expect([nothing.value, ...nothing.gradient]).toEqual(new Array(1 + E).fill(0))
  })

  test('summed over ranks and weighed by each rank’s tokens make the ranks’ losses add up to the whole', () => {
    const logits = Float64Array.from(draw(30, 7))
    const whole = auxLoss(logits, router)
    const parts = [
      [0, 10],
      [10, 30],
    ].map(([from, to]) =>
      auxLoss(logits.slice(from * E, to * E), {
        ...router,
        load: whole.load,
        coefficient: (to - from) / 30,
      }),
    )
    expect(parts[0].value + parts[1].value).toBeCloseTo(whole.value, 14)
    const joined = parts.flatMap(({ gradient }) => [...gradient])
    joined.forEach((slope, i) => expect(slope).toBeCloseTo(whole.gradient[i], 16))
  })
})

describe('what the value does and does not say', () => {
  test('uniform probabilities give 1 whatever the counts', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(50), { minLength: E, maxLength: E }), (load) => {
        fc.pre(load.some((count) => count > 0))
        for (const scoreFunction of ['softmax', 'sigmoid', 'sqrtsoftplus'] as const) {
          const { value } = auxLoss(new Float32Array(4 * E), { ...router, scoreFunction, load })
          expect(value).toBeCloseTo(1, 14)
        }
      }),
    )
  })

  test.each(['sigmoid', 'softmax'] as const)(
    'the cheating loss: smaller logits of %s bring it to 1 and change no choice',
    (scoreFunction) => {
      const options = { numExperts: 64, topK: 6, scoreFunction }
      const logits = draw(4096, 8, 64)
      const [honest, small, tiny] = [1, 2 ** -7, 2 ** -14].map((scale) => {
        const loss = auxLoss(
          logits.map((logit) => logit * scale),
          options,
        )
        return { excess: loss.value - 1, violation: maxViolation(loss.load) }
      })
      expect(honest.excess).toBeGreaterThan(0.15)
      expect(honest.violation).toBeGreaterThan(3)
      // the excess over 1 shrinks with the logits: two decimals of scale, two decimals of loss
      expect(small.excess / honest.excess).toBeLessThan(2 ** -6)
      expect(tiny.excess).toBeLessThan(1e-4)
      expect(small.violation).toBeCloseTo(honest.violation, 1)
      expect(tiny.excess / small.excess).toBeCloseTo(2 ** -7, 4)
    },
  )

  test('pulls probability from experts that have more than their share to those that have less', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const logits = Float64Array.from(draw(16, seed))
        const { gradient, load } = auxLoss(logits, softmax)
        fc.pre(Math.max(...load) > Math.min(...load))
        const most = load.indexOf(Math.max(...load))
        const least = load.indexOf(Math.min(...load))
        for (let token = 0; token < 16; token++) {
          expect(gradient[token * E + most]).toBeGreaterThan(0)
          expect(gradient[token * E + least]).toBeLessThan(0)
        }
      }),
    )
  })
})

describe('scores that underflow', () => {
  test.each(['softmax', 'sigmoid', 'sqrtsoftplus'] as const)('leave no NaN: %s', (scoreFunction) => {
    const logits = Float64Array.of(0, -800, -Infinity, 1, -1e30, -60, 3, 700)
    const { value, gradient } = auxLoss(logits, { ...router, scoreFunction })
    expect(value).toBeGreaterThan(0)
    expect([...gradient].every(Number.isFinite)).toBe(true)
    expect([gradient[1], gradient[2], gradient[4]].map(Math.abs)).toEqual([0, 0, 0])
  })

  test('tiny sigmoid scores feel the 1e-20 of Megatron-LM, which lets the loss fall below 1', () => {
    const tiny = auxLoss(new Float64Array(2 * E).fill(-50), router)
    const sum = E * Math.exp(-50)
    expect(tiny.value).toBeCloseTo(sum / (sum + 1e-20), 12)
  })
})

describe('sequences', () => {
  const B = 4
  const S = 6
  const positionMajor = Float64Array.from(draw(S * B, 9)) // Megatron-LM's order: position · B + sequence
  const sequences = Int32Array.from({ length: S * B }, (_, token) => token % B)
  const loss = sequenceAuxLoss(positionMajor, { ...router, sequences })

  test('may stand in any order: sequence after sequence gives the same', () => {
    const place = (token: number): number => (token % B) * S + Math.floor(token / B)
    const sequenceMajor = new Float64Array(positionMajor.length)
    for (let token = 0; token < S * B; token++) sequenceMajor.set(row(positionMajor, token), place(token) * E)
    const names = Int32Array.from({ length: S * B }, (_, token) => 70 - Math.floor(token / S))
    const other = sequenceAuxLoss(sequenceMajor, { ...router, sequences: names })
    expect([...other.sequences]).toEqual([70, 69, 68, 67])
    expect([...other.values]).toEqual([...loss.values])
    expect(other.load).toEqual(loss.load)
    expect(other.value).toBeCloseTo(loss.value, 14)
    for (let token = 0; token < S * B; token++) {
      expect(row(other.gradient, place(token))).toEqual(row(loss.gradient, token))
    }
  })

  test('count alike: the loss is the mean of each one’s auxLoss, long or short', () => {
    const uneven = Int32Array.from({ length: S * B }, (_, token) => (token < 3 ? 5 : token < 10 ? -2 : 0))
    const { values, value } = sequenceAuxLoss(positionMajor, { ...router, sequences: uneven })
    const alone = [
      [0, 3],
      [3, 10],
      [10, S * B],
    ].map(([from, to]) => auxLoss(positionMajor.slice(from * E, to * E), router).value)
    alone.forEach((own, s) => expect(values[s]).toBeCloseTo(own, 14))
    expect(value).toBeCloseTo((alone[0] + alone[1] + alone[2]) / 3, 14)
  })

  test('of which there is one are the micro-batch', () => {
    const one = sequenceAuxLoss(positionMajor, { ...router, sequences: new Int32Array(S * B) })
    const { value, gradient, load } = auxLoss(positionMajor, router)
    expect([one.value, one.gradient, one.load]).toEqual([value, gradient, load])
  })
})

describe('the global batch', () => {
  const logits = Float64Array.from(draw(24, 10))

  test('starts with the micro-batch alone and ends with the counts of all', () => {
    const first = globalAuxLoss(logits.slice(0, 12 * E), router)
    expect(first).toMatchObject(auxLoss(logits.slice(0, 12 * E), router))
    const second = globalAuxLoss(logits.slice(12 * E), router, first.total)
    expect(second.total).toEqual(auxLoss(logits, router).load)
    expect(second.value).toBe(auxLoss(logits.slice(12 * E), { ...router, load: second.total }).value)
  })

  test('does not divide old counts by the tokens of this micro-batch, as Megatron-LM issue 7213 describes', () => {
    const last = logits.slice(20 * E)
    const lossAfter = (sizes: number[]) => {
      let from = 0
      let before: Float64Array | undefined
      for (const size of sizes) {
        before = globalAuxLoss(logits.slice(from * E, (from + size) * E), router, before).total
        from += size
      }
      return globalAuxLoss(last, router, before)
    }
    const even = lossAfter([10, 10])
    const uneven = lossAfter([4, 16])
    expect(uneven).toEqual(even)
    // by the running mean over 3 micro-batches and the 4 tokens of the last, the counts' shares would sum to 2, not 1
    const { load, total } = even
    const sum = (counts: Float64Array): number => counts.reduce((a, b) => a + b)
    expect(sum(total) / 3 / sum(load)).toBe(2)
  })
})

describe('one number under several names', () => {
  const logits = Float64Array.from(draw(20, 11))
  const value = auxLoss(logits, softmax).value
  const { load, meanProbability } = auxLoss(logits, softmax)
  const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
    Array.from(a).reduce((sum, x, i) => sum + x * b[i], 0)

  test('Megatron-LM: E / (K T²) · Σ (ΣP) n', () => {
    const sums = meanProbability.map((p) => 20 * p)
    expect((E / (2 * 20 ** 2)) * dot(sums, load)).toBeCloseTo(value, 14)
  })

  test('Automodel: Σ f P̄ with f = E · load / (K T)', () => {
    const f = load.map((count) => (E * count) / (2 * 20))
    expect(dot(f, meanProbability)).toBeCloseTo(value, 14)
  })

  test('Switch and Hugging Face of one layer: K times it', () => {
    expect(switchLoss(logits, { numExperts: E, topK: 2 }).value).toBeCloseTo(2 * value, 14)
    expect(pooledAuxLoss([logits], softmax).value).toBeCloseTo(2 * value, 14)
  })

  test('GShard: the first-choice Switch loss over E²', () => {
    expect(gshardLoss(logits, { numExperts: E }).value).toBeCloseTo(
      switchLoss(logits, { numExperts: E }).value / E ** 2,
      14,
    )
  })

  test('megablocks over layers, E / (L T K) · Σ_l dot(counts, mean scores): its mean', () => {
    const other = auxLoss(Float64Array.from(draw(20, 12)), softmax)
    const both = dot(load, meanProbability) + dot(other.load, other.meanProbability)
    expect((E / (2 * 20 * 2)) * both).toBeCloseTo((value + other.value) / 2, 14)
  })

  test('JetMoE: with 0.1 z-loss added, E · Σ norm₁(ΣP) · norm₁(n) + 0.1 · mean lse²', () => {
    const z = zLoss(logits, { numExperts: E, coefficient: 0.1 })
    const shares = load.map((count) => count / 40)
    const lse = zLoss(logits, { numExperts: E }).logSumExp
    expect(addLosses([auxLoss(logits, softmax), z]).value).toBeCloseTo(
      E * dot(meanProbability, shares) + (0.1 * dot(lse, lse)) / 20,
      13,
    )
  })

  test('DeepSeek-V2 with a device for every expert; and 1 always with one device for all', () => {
    const own = deviceLoss(logits, { ...softmax, devices: E })
    expect(own.value).toBeCloseTo(value, 14)
    expect(deviceLoss(logits, { ...softmax, devices: 1 }).value).toBeCloseTo(1, 14)
  })

  test('losses added are values and gradients added', () => {
    const single = draw(6, 13)
    const a = auxLoss(single, router)
    const z = zLoss(single, { numExperts: E, coefficient: 0.001 })
    const sum = addLosses([a, z])
    expect(sum.value).toBe(a.value + z.value)
    expect(sum.gradient).toEqual(a.gradient.map((slope, i) => slope + z.gradient[i]))
  })
})

describe('the communication loss', () => {
  test('counts a token once on a device, however many of its experts it goes to', () => {
    // Experts 0–3 on device 0, 4–7 on device 1: 3 tokens go to device 0, 2 to device 1.
    const experts = Int32Array.of(0, 1, 2, 4, 3, -1, 5, 7)
    const options = { ...softmax, experts, devices: 2, deviceLimit: 2 }
    const logits = draw(4, 14)
    const { meanProbability } = auxLoss(logits, softmax)
    const [first, second] = [0, 4].map((e) => meanProbability.subarray(e, e + 4).reduce((a, b) => a + b))
    const wanted = (2 / (2 * 4)) * (2 + 1) * first + (2 / (2 * 4)) * 2 * second
    expect(communicationLoss(logits, options).value).toBeCloseTo(wanted, 14)
  })
})
