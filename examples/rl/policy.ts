// A small model with one MoE layer: what it sees of a question in; out comes an answer, or that it looks again.
import * as tf from '@tensorflow/tfjs'
import { auxLoss, type BiasState, biasBalance, type LayerConfig, streams } from 'moesim'
import { type ApplyOptions, MoELayer, type MoEResult } from 'moesim/tf'
import { answers, looks, width } from './world.js'

export const router = {
  numExperts: 32,
  topK: 4,
  scoreFunction: 'sigmoid',
  normalize: true,
  scale: 1,
} as const
const config: LayerConfig = {
  hiddenSize: width,
  expertWidth: 8,
  sharedWidth: 16,
  router,
  activation: 'relu2',
  gated: false,
  correctionBias: true,
}
export const vocabulary = answers + 1

export interface Policy {
  readonly layer: MoELayer<BiasState>
  /** [D, vocabulary] */
  readonly head: tf.Variable<tf.Rank.R2>
  /** [looks, D] tells the model which look it is. */
  readonly places: Float32Array
}

/** Balanced as Nemotron 3 Nano is: by a bias of this update rate, and by a loss of 1e-4. */
export function newPolicy(seed: number, rate: number): Policy {
  const normals = (name: string, count: number, scale: number): Float32Array => {
    const draws = streams(seed)(name)
    return Float32Array.from({ length: count }, () => scale * draws.normal())
  }
  const layer = new MoELayer(config, {
    seed,
    balance: biasBalance({ rate }),
    loss: (logits) => auxLoss(logits, { ...router, coefficient: 1e-4 }),
  })
  const head = tf.tidy(() =>
    tf.variable(tf.tensor2d(normals('head', width * vocabulary, 0.05), [width, vocabulary])),
  )
  return { layer, head, places: normals('places', looks * width, 0.5) }
}

export function dispose({ layer, head }: Policy): void {
  layer.dispose()
  head.dispose()
}

/** [T, vocabulary] log probabilities in float32, with gradients. With `experts`, a rollout's routing is replayed. */
export function logProbabilities(
  policy: Policy,
  hidden: Float32Array,
  options: ApplyOptions,
): MoEResult & { logs: tf.Tensor2D } {
  const x = tf.tensor2d(hidden, [hidden.length / width, width])
  const result = policy.layer.apply(x, options)
  const logits = tf.matMul<tf.Tensor2D>(tf.add<tf.Tensor2D>(x, result.output), policy.head)
  return { ...result, logs: tf.logSoftmax(logits) as tf.Tensor2D }
}

/** [T] those of what was said. */
export function ofSaid(logs: tf.Tensor2D, said: Int32Array): tf.Tensor1D {
  return tf.sum(tf.mul(logs, tf.oneHot(tf.tensor1d(said, 'int32'), vocabulary)), 1)
}
