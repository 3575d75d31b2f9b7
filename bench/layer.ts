/*
How long does a mixture-of-experts layer take, forward, and how much of it is the loop over experts? D = 256, F = 128,
128 experts, top-6 and 2 shared. MoELayer on tfjs's wasm backend, the same layer written as the usual loop in tfjs, and
the core's typed-array layer; all three must give the same output first. Compare ratios within one run.

npm run bench:layer
*/
import { cpus } from 'node:os'
import * as tf from '@tensorflow/tfjs'
import '@tensorflow/tfjs-backend-wasm'
import { forwardLayer, type LayerConfig, nemotron3Nano, routeLayer, routerOf, streams } from 'moesim'
import { MoELayer } from 'moesim/tf'
import { Bench } from 'tinybench'

const [hiddenSize, expertWidth] = [256, 128]
const router = routerOf(nemotron3Nano)
const { numExperts, topK } = router
const config: LayerConfig = {
  hiddenSize,
  expertWidth,
  router,
  activation: 'relu2',
  gated: false,
  correctionBias: true,
  sharedWidth: 2 * expertWidth,
}
await tf.setBackend('wasm')
const layer = new MoELayer(config)
const weights = layer.weights()

// The usual loop keeps each expert's matrices by themselves, [in, out].
const matrix = (values: Float32Array, rows: number, columns: number) =>
  tf.tidy(() => tf.transpose(tf.tensor2d(values, [rows, columns])))
const part = (values: Float32Array, e: number) =>
  values.subarray(e * expertWidth * hiddenSize, (e + 1) * expertWidth * hiddenSize)
const gate = matrix(weights.router!, numExperts, hiddenSize)
const up = Array.from({ length: numExperts }, (_, e) =>
  matrix(part(weights.upProj!, e), expertWidth, hiddenSize),
)
const down = Array.from({ length: numExperts }, (_, e) =>
  matrix(part(weights.downProj!, e), hiddenSize, expertWidth),
)
const sharedUp = matrix(weights.sharedUpProj!, 2 * expertWidth, hiddenSize)
const sharedDown = matrix(weights.sharedDownProj!, hiddenSize, 2 * expertWidth)

const relu2 = (x: tf.Tensor2D) => tf.square(tf.relu(x))

/** Scores, top-k, and for each expert: gather its tokens, multiply, weigh, scatter and add. */
function usualLoop(x: tf.Tensor2D): tf.Tensor2D {
  const tokens = x.shape[0]
  const scores = tf.sigmoid(tf.matMul(x, gate)) as tf.Tensor2D
  const { values, indices } = tf.topk(scores, topK)
  const sums = tf.sum(values, 1, true)
  const combine = tf.mul(tf.div(values, sums), router.scale).dataSync()
  const chosen = indices.dataSync()
  const own: { tokens: number[]; weights: number[] }[] = up.map(() => ({ tokens: [], weights: [] }))
  for (let slot = 0; slot < chosen.length; slot++) {
    own[chosen[slot]].tokens.push(Math.floor(slot / topK))
    own[chosen[slot]].weights.push(combine[slot])
  }
  let output: tf.Tensor2D = tf.matMul(relu2(tf.matMul(x, sharedUp)), sharedDown)
  own.forEach(({ tokens: its, weights: factors }, e) => {
    if (its.length === 0) return
    const before = output
    output = tf.tidy(() => {
      const rows = tf.gather(x, tf.tensor1d(its, 'int32'))
      const results = tf.matMul(relu2(tf.matMul(rows, up[e])), down[e])
      const weighed = tf.mul(results, tf.tensor2d(factors, [its.length, 1]))
      const places = tf.tensor2d(its, [its.length, 1], 'int32')
      return tf.add(output, tf.scatterND(places, weighed, [tokens, hiddenSize]))
    })
    before.dispose()
  })
  return output
}

console.log(
  `${cpus()[0].model}, ${cpus().length} cores, Node ${process.versions.node}, tfjs ${tf.version.tfjs}, wasm backend`,
)
console.log(
  `D = ${hiddenSize}, F = ${expertWidth}, ${numExperts} experts, top-${topK} + 2 shared, ungated relu2, forward`,
)
let sink = 0 // what is computed is used, so that nothing is optimised away
for (const tokens of [256, 2048]) {
  const hidden = new Float64Array(tokens * hiddenSize)
  streams('bench')('tokens', 0).normals(hidden)
  const values = Float32Array.from(hidden)
  const x = tf.tensor2d(values, [tokens, hiddenSize])
  const ways: [string, () => Float32Array][] = [
    ['MoELayer', () => layer.apply(x, { training: false }).output.dataSync() as Float32Array],
    ['the usual loop in tfjs', () => usualLoop(x).dataSync() as Float32Array],
    [
      'forwardLayer, no tfjs',
      () => forwardLayer(values, routeLayer(values, weights, config), weights, config),
    ],
  ]
  // Nothing is returned to tidy: it would look for tensors in every element of an array, for longer than the layer takes.
  const run = (way: () => Float32Array): Float32Array => {
    let values: Float32Array = new Float32Array()
    tf.tidy(() => {
      values = way()
    })
    return values
  }
  const [wanted, ...others] = ways.map(([, way]) => run(way))
  for (const other of others) {
    const far = other.reduce((most, value, i) => Math.max(most, Math.abs(value - wanted[i])), 0)
    if (!(far < 1e-3)) throw new Error(`the layers disagree by ${far}`)
  }
  // Rounds in turn, so that a slow moment of the machine falls on all.
  const times: number[][] = ways.map(() => [])
  for (let round = -1; round < 5; round++) {
    for (const [i, [name, way]] of ways.entries()) {
      const bench = new Bench({
        time: round < 0 ? 0 : 400,
        iterations: round < 0 ? 3 : 2,
        warmup: false,
        retainSamples: true,
      })
      bench.add(name, () => {
        sink += run(way)[0]
      })
      await bench.run()
      const { result } = bench.tasks[0]
      if (round >= 0 && 'latency' in result) times[i].push(...result.latency.samples!)
    }
  }
  console.log(
    `\n${`${tokens} tokens`.padEnd(24)}${'ms, median'.padStart(12)}   least to 75 %    times MoELayer`,
  )
  const sorted = times.map((all) => all.toSorted((a, b) => a - b))
  const at = (all: number[], share: number): number => all[Math.floor(share * (all.length - 1))]
  sorted.forEach((all, i) => {
    const spread = `${all[0].toFixed(1)} to ${at(all, 0.75).toFixed(1)}`
    const ratio = at(all, 0.5) / at(sorted[0], 0.5)
    console.log(
      `${ways[i][0].padEnd(24)}${at(all, 0.5).toFixed(1).padStart(12)}   ${spread.padEnd(17)}${ratio.toFixed(2)}`,
    )
  })
  x.dispose()
}
if (Number.isNaN(sink)) console.log(sink)
