import { InputError, wsdSchedule } from 'moesim'
import { type AdamWOptions, adamW } from 'moesim/tf'
import { describe, expect, test } from 'vitest'
import { backends, leaked, on, tf } from './backends.js'

/** The algorithm as written, in float64, for one number whose gradient at each step is known. */
function byHand(
  weight: number,
  gradients: readonly number[],
  rates: readonly number[],
  decay: number,
): number {
  let [w, m, v] = [weight, 0, 0]
  gradients.forEach((g, i) => {
    m = 0.9 * m + 0.1 * g
    v = 0.95 * v + 0.05 * g * g
    const [mean, square] = [m / (1 - 0.9 ** (i + 1)), v / (1 - 0.95 ** (i + 1))]
    w -= rates[i] * (mean / (Math.sqrt(square) + 1e-8) + decay * w)
  })
  return w
}

/** A loss whose gradient is `slope`, for every element of every variable. */
const slope = (variables: readonly tf.Variable[], slope: number) => () =>
  tf.addN(variables.map((variable) => tf.sum(tf.mul(variable, slope)))).asScalar()

const gradients = [0.5, -2, 3, 0.25, 1]

describe.each(backends)('AdamW on the %s backend', (backend) => {
  test('is the published algorithm: matrices decay, vectors do not, the rate follows its schedule', async () => {
    await on(backend, () => {
      const [matrix, vector] = [tf.variable(tf.tensor2d([[2]])), tf.variable(tf.tensor1d([2]))]
      const rate = wsdSchedule({ peak: 0.1, warmup: 2, stable: 1, decay: 2 })
      const optimizer = adamW({ rate, beta2: 0.95, weightDecay: 0.1 })
      for (const gradient of gradients) optimizer.minimize(slope([matrix, vector], gradient))
      const rates = gradients.map((_, step) => rate(step))
      expect(rates).toEqual([0, 0.05, 0.1, 0.1, 0.05])
      expect(matrix.dataSync()[0]).toBeCloseTo(byHand(2, gradients, rates, 0.1), 5)
      expect(vector.dataSync()[0]).toBeCloseTo(byHand(2, gradients, rates, 0), 5)
      expect(optimizer.iterations).toBe(5)
      tf.dispose([matrix, vector])
      optimizer.dispose()
    })
  })

  test('without decay it goes where the Adam of tfjs goes', async () => {
    await on(backend, () => {
      const run = (optimizer: tf.Optimizer) => {
        const variable = tf.variable(tf.tensor1d([1, -2, 3]))
        for (let step = 0; step < 20; step++) {
          optimizer.minimize(() => tf.sum(tf.square(variable)).asScalar(), false, [variable])
        }
        const values = Array.from(variable.dataSync())
        tf.dispose(variable)
        optimizer.dispose()
        return values
      }
      const [ours, theirs] = [
        run(adamW({ rate: 0.05, epsilon: 1e-7 })),
        run(tf.train.adam(0.05, 0.9, 0.999, 1e-7)),
      ]
      ours.forEach((value, i) => {
        expect(value).toBeCloseTo(theirs[i], 4) // tfjs takes 1 − 0.999 in float32, and loses five digits of it
      })
    })
  })
})

test('a frozen weight stays, the others go on with their own moments, and later so does it', async () => {
  await on('wasm', () => {
    const [first, second] = [tf.variable(tf.tensor1d([1, 1])), tf.variable(tf.tensor1d([1]))]
    const optimizer = adamW({ rate: 0.1, beta2: 0.95 })
    const step = (gradient: number) => optimizer.minimize(slope([first, second], gradient))
    step(1)
    first.trainable = false
    step(-3) // an Adam that finds moments by their place would take those of the first, of another shape
    first.trainable = true
    step(2)
    const rates = [0.1, 0.1, 0.1]
    expect(first.dataSync()[1]).toBeCloseTo(byHand(1, [1, 2], rates, 0), 5)
    expect(second.dataSync()[0]).toBeCloseTo(byHand(1, [1, -3, 2], rates, 0), 5)
    tf.dispose([first, second])
    optimizer.dispose()
  })
})

test('a list with a frozen weight in it may be minimised', async () => {
  await on('wasm', () => {
    const [first, second] = [tf.variable(tf.scalar(1)), tf.variable(tf.scalar(1))]
    first.trainable = false
    const optimizer = adamW({ rate: 0.1 })
    optimizer.minimize(slope([first, second], 1), false, [first, second])
    expect(first.dataSync()[0]).toBe(1)
    expect(second.dataSync()[0]).toBeCloseTo(0.9, 5)
    tf.dispose([first, second])
    optimizer.dispose()
  })
})

test('a thousand steps leave nothing behind but two moments a weight, and dispose frees those', async () => {
  await on('wasm', () => {
    const variable = tf.variable(tf.scalar(1))
    const optimizer = adamW({ rate: 1e-3, weightDecay: 0.1 })
    const step = () => optimizer.minimize(() => tf.square(variable).asScalar())
    expect(leaked(step)).toBe(2)
    expect(leaked(() => Array.from({ length: 1000 }, step))).toBe(0)
    expect(leaked(() => optimizer.dispose())).toBe(-2)
    tf.dispose(variable)
  })
})

test('it compiles into a model of tf.layers', async () => {
  await on('wasm', () => {
    const model = tf.sequential({ layers: [tf.layers.dense({ units: 1, inputShape: [2] })] })
    model.compile({ optimizer: adamW({ rate: 0.1, weightDecay: 0.1 }), loss: 'meanSquaredError' })
    expect(model.optimizer.getConfig()).toMatchObject({ beta1: 0.9, beta2: 0.999, weightDecay: 0.1 })
    model.dispose()
  })
})

test.each<[string, AdamWOptions]>([
  ['rate', { rate: -1 }],
  ['rate', { rate: Number.NaN }],
  ['beta1', { rate: 1, beta1: 1 }],
  ['beta2', { rate: 1, beta2: -0.1 }],
  ['beta2', { rate: 1, beta2: Number.NaN }],
  ['epsilon', { rate: 1, epsilon: -1 }],
  ['weightDecay', { rate: 1, weightDecay: Infinity }],
  [
    'the options must have only the fields of its kind, got "weight_decay"',
    { rate: 1, weight_decay: 1 } as AdamWOptions,
  ],
])('refuses options out of range: %s', (name, options) => {
  expect(() => adamW(options)).toThrow(InputError)
  expect(() => adamW(options)).toThrow(`adamW: ${name}`)
})
