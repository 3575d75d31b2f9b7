// A language model of bytes: the last few bytes, embedded side by side, through two mixture-of-experts layers.
import type { Optimizer, Rank, Scalar, Tensor2D, Variable } from '@tensorflow/tfjs'
import { type Balance, type BiasState, type LayerConfig, streams } from 'moesim'
import { MoELayer } from 'moesim/tf'
import { tf } from './session.js'

/** Bytes that the model looks back. */
export const reach = 8
const [bytes, embedding, hiddenSize] = [256, 16, 64]
export const router = {
  numExperts: 8,
  topK: 2,
  scoreFunction: 'sigmoid',
  normalize: true,
  scale: 1,
} as const
const config: LayerConfig = {
  hiddenSize,
  router,
  expertWidth: 64,
  activation: 'relu2',
  gated: false,
  correctionBias: true,
}

interface Prediction {
  /** Mean cross-entropy, in nats per byte. */
  readonly loss: Scalar
  /** [layers] tokens per expert */
  readonly loads: readonly Int32Array[]
}

export interface LanguageModel {
  readonly layers: readonly MoELayer<BiasState>[]
  /** Predicts the bytes of `text` at these places, each from those before it. */
  predict(text: Uint8Array, places: Int32Array, training: boolean): Prediction
}

export function languageModel(seed: number, balance: Balance<BiasState>): LanguageModel {
  const random = streams(seed)
  const matrix = (name: string, rows: number, columns: number): Variable<Rank.R2> => {
    const values = new Float64Array(rows * columns)
    random(name).at(0).normals(values)
    const scaled = Float32Array.from(values, (value) => value / Math.sqrt(rows))
    return tf.tidy(() => tf.variable(tf.tensor2d(scaled, [rows, columns])))
  }
  const table = matrix('embedding', bytes, embedding)
  const input = matrix('input', reach * embedding, hiddenSize)
  const output = matrix('output', hiddenSize, bytes)
  const layers = [0, 1].map((index) => new MoELayer(config, { seed, index, balance }))

  return {
    layers,
    predict(text, places, training) {
      const before = Int32Array.from({ length: places.length * reach }, (_, i) => {
        return text[places[Math.floor(i / reach)] - reach + (i % reach)]
      })
      const embedded = tf.mul(embed(table, before), 16)
      let hidden: Tensor2D = product(tf.reshape(embedded, [places.length, reach * embedding]), input)
      const loads: Int32Array[] = []
      for (const layer of layers) {
        const { output, load } = layer.apply(normalized(hidden), { training })
        hidden = tf.add(hidden, output)
        loads.push(load)
      }
      const logits = product(normalized(hidden), output)
      const next = tf.oneHot(
        tf.tensor1d(
          places.map((place) => text[place]),
          'int32',
        ),
        bytes,
      )
      return { loss: tf.losses.softmaxCrossEntropy(next, logits).asScalar(), loads }
    },
  }
}

export interface Learning {
  /** [steps] bits per byte of each batch, before its step */
  readonly losses: readonly number[]
  /** [layers][steps] tokens per expert */
  readonly loads: readonly (readonly Int32Array[])[]
}

/** Steps of the optimizer, each on bytes from all over the text, and after each an update of the bias. */
export async function learn(
  model: LanguageModel,
  text: Uint8Array,
  { steps, batch, optimizer }: { steps: number; batch: number; optimizer: Optimizer },
  tick: (note: string) => Promise<void>,
): Promise<Learning> {
  const random = streams(1)
  const losses: number[] = []
  const loads: Int32Array[][] = model.layers.map(() => [])
  for (let step = 0; step < steps; step++) {
    const draws = random('places', 0, step)
    const places = Int32Array.from({ length: batch }, () => reach + draws.below(text.length - reach))
    tf.tidy(() => {
      const predict = () => {
        const prediction = model.predict(text, places, true)
        prediction.loads.forEach((load, layer) => {
          loads[layer].push(load)
        })
        return prediction.loss
      }
      losses.push(optimizer.minimize(predict, true)!.dataSync()[0] / Math.LN2)
    })
    for (const layer of model.layers) layer.updateBias()
    await tick(`${losses[step].toFixed(2)} bits per byte`)
  }
  return { losses, loads }
}

/** Bits per byte of a text, and the load [layers] of all its bytes but the first few, which have too little before them. */
export function evaluate(model: LanguageModel, text: Uint8Array): { bits: number; loads: Int32Array[] } {
  const loads = model.layers.map(() => new Int32Array(router.numExperts))
  let nats = 0
  for (let first = reach; first < text.length; first += 2048) {
    const places = Int32Array.from({ length: Math.min(2048, text.length - first) }, (_, i) => first + i)
    tf.tidy(() => {
      const prediction = model.predict(text, places, false)
      nats += prediction.loss.dataSync()[0] * places.length
      prediction.loads.forEach((load, layer) => {
        loads[layer] = loads[layer].map((count, expert) => count + load[expert])
      })
    })
  }
  return { bits: nats / Math.LN2 / (text.length - reach), loads }
}

/** Each row divided by its root mean square. */
const normalized = (x: Tensor2D): Tensor2D => tf.div(x, tf.sqrt(tf.add(tf.mean(tf.square(x), 1, true), 1e-6)))

/** A matrix product whose gradient turns matrices before it multiplies them, which on wasm takes a part of the time. */
const product = (x: Tensor2D, w: Tensor2D): Tensor2D =>
  tf.customGrad((...given) => {
    const [x, w, save] = given as unknown as [Tensor2D, Tensor2D, (tensors: Tensor2D[]) => void]
    save([x, w])
    return {
      value: tf.matMul(x, w),
      gradFunc: (dy, [x, w]) => [
        tf.matMul(dy as Tensor2D, tf.transpose(w)),
        tf.matMul(tf.transpose(x), dy as Tensor2D),
      ],
    }
  })(x, w) as Tensor2D

/** Rows of a table by number. The gradient of `tf.gather` does not run on wasm, so that it is added up here. */
function embed(table: Tensor2D, numbers: Int32Array): Tensor2D {
  const [count, width] = table.shape
  return tf.customGrad((given) => ({
    value: tf.gather(given as unknown as Tensor2D, tf.tensor1d(numbers, 'int32')),
    gradFunc: (dy) => {
      const pull = dy.dataSync()
      const sums = new Float32Array(count * width)
      numbers.forEach((number, row) => {
        for (let i = 0; i < width; i++) sums[number * width + i] += pull[row * width + i]
      })
      return tf.tensor2d(sums, [count, width])
    },
  }))(table) as Tensor2D
}
