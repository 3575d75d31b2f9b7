/** The route step and the usual layer in tfjs, as one would write them. */
import * as tf from '@tensorflow/tfjs'
import '@tensorflow/tfjs-backend-wasm'
import type { LayerConfig, LayerWeights } from 'moesim'

tf.enableProdMode() // no banner

export type Backend = 'wasm' | 'cpu'

export const tfjsVersion: string = tf.version.tfjs

/** Makes a backend the one that computes: before each of its rounds. */
export const use = async (backend: Backend): Promise<void> => {
  await tf.setBackend(backend)
}

/**
 * What `compute` reads from tensors, all of which are freed then. Nothing is returned to tidy: it would look for tensors in
 * every element of an array, for longer than a step takes.
 */
export function reading<T>(compute: () => T): T {
  const read: T[] = []
  tf.tidy(() => {
    read.push(compute())
  })
  return read[0]
}

/** The same as most would write it. */
export const tidied = <T>(compute: () => T): T => tf.tidy(() => compute() as tf.TensorContainer) as T

/** Experts and weights [N, K] of logits [N, E]. `gather` has no rows of its own on wasm: it reads at flat places. */
export function tfjsRoute(
  logits: Float32Array,
  bias: Float32Array,
  topK: number,
  scale: number,
  read: typeof reading = reading,
): { experts: Int32Array; weights: Float32Array } {
  const numExperts = bias.length
  const tokens = logits.length / numExperts
  return read(() => {
    const scores = tf.sigmoid(tf.tensor2d(logits, [tokens, numExperts]))
    const { indices } = tf.topk(tf.add(scores, tf.tensor1d(bias)), topK)
    const starts = tf.reshape(tf.range(0, tokens * numExperts, numExperts, 'int32'), [tokens, 1])
    const selected = tf.gather(tf.reshape(scores, [-1]), tf.add(indices, starts).toInt())
    const weights = tf.mul(tf.div(selected, tf.sum(selected, 1, true)), scale)
    return { experts: indices.dataSync() as Int32Array, weights: weights.dataSync() as Float32Array }
  })
}

/** The usual loop: scores, top-k, and for each expert: gather its tokens, multiply, weigh, scatter and add. */
export function usualLayer(weights: LayerWeights, config: LayerConfig): (x: tf.Tensor2D) => tf.Tensor2D {
  const { hiddenSize, expertWidth, router, sharedWidth = 0 } = config
  const { numExperts, topK, scale } = router
  /** tfjs multiplies by [in, out]. */
  const matrix = (values: Float32Array, outputs: number, inputs: number): tf.Tensor2D =>
    tf.tidy(() => tf.transpose(tf.tensor2d(values, [outputs, inputs])))
  const matrices = (values: Float32Array, outputs: number, inputs: number): tf.Tensor2D[] =>
    Array.from({ length: numExperts }, (_, e) =>
      matrix(values.subarray(e * outputs * inputs, (e + 1) * outputs * inputs), outputs, inputs),
    )
  const gate = matrix(weights.router!, numExperts, hiddenSize)
  const bias = tf.tensor1d(weights.correctionBias!)
  const up = matrices(weights.upProj!, expertWidth, hiddenSize)
  const down = matrices(weights.downProj!, hiddenSize, expertWidth)
  const sharedUp = matrix(weights.sharedUpProj!, sharedWidth, hiddenSize)
  const sharedDown = matrix(weights.sharedDownProj!, hiddenSize, sharedWidth)
  const expert = (x: tf.Tensor2D, inner: tf.Tensor2D, outer: tf.Tensor2D): tf.Tensor2D =>
    tf.matMul(tf.square(tf.relu(tf.matMul(x, inner))), outer)

  return (x) => {
    const tokens = x.shape[0]
    const scores = tf.sigmoid(tf.matMul(x, gate)).dataSync()
    const chosen = tf.topk(tf.add(tf.tensor2d(scores, [tokens, numExperts]), bias), topK).indices.dataSync()
    const own = up.map((): { tokens: number[]; weights: number[] } => ({ tokens: [], weights: [] }))
    for (let token = 0; token < tokens; token++) {
      const experts = [...chosen.subarray(token * topK, (token + 1) * topK)]
      const selected = experts.map((e) => scores[token * numExperts + e])
      const sum = selected.reduce((total, score) => total + score)
      experts.forEach((e, slot) => {
        own[e].tokens.push(token)
        own[e].weights.push((selected[slot] / sum) * scale)
      })
    }
    let output = expert(x, sharedUp, sharedDown)
    own.forEach(({ tokens: its, weights: factors }, e) => {
      if (its.length === 0) return
      const before = output
      output = tf.tidy(() => {
        const made = expert(tf.gather(x, tf.tensor1d(its, 'int32')), up[e], down[e])
        const weighed = tf.mul(made, tf.tensor2d(factors, [its.length, 1]))
        const places = tf.tensor2d(its, [its.length, 1], 'int32')
        return tf.add(output, tf.scatterND(places, weighed, [tokens, hiddenSize]))
      })
      before.dispose()
    })
    return output
  }
}
