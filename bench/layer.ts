/**
 * A mixture-of-experts layer, forward, routing included: D = 256, F = 128, 128 experts, top-6 and 2 shared, ungated relu2.
 * The core on typed arrays, by one thread and by two, MoELayer on tfjs's wasm backend, and the usual loop over experts in tfjs
 * and, in two ways, in PyTorch.
 */
import * as tf from '@tensorflow/tfjs'
import { forwardLayer, type LayerConfig, prepareLayer, type RouterConfig, routeLayer, streams } from 'moesim'
import { MoELayer } from 'moesim/tf'
import { openThreads, sharedFloats } from 'moesim/threads'
import type { Peers } from './peers/find.js'
import { reading, tidied, use, usualLayer } from './peers/tfjs.js'
import { type Contender, inRounds, type Table } from './rounds.js'
import { agreeOnOutputs } from './same-results.js'

const [hiddenSize, expertWidth, batchesEach] = [256, 128, 4]
const router: RouterConfig = {
  numExperts: 128,
  topK: 6,
  scoreFunction: 'sigmoid',
  normalize: true,
  scale: 2.5,
}
const config: LayerConfig = {
  hiddenSize,
  expertWidth,
  router,
  activation: 'relu2',
  gated: false,
  correctionBias: true,
  sharedWidth: 2 * expertWidth,
}

type Forward = (hidden: Float32Array) => Float32Array

/** How PyTorch finds the tokens of an expert, in peers.py. */
const torches = [
  ['PyTorch', 'sorted'],
  ['PyTorch, as in transformers', 'masked'],
]

export async function layerTables({ python }: Peers): Promise<Table[]> {
  await use('wasm')
  const layer = new MoELayer(config)
  const weights = layer.weights()
  const prepared = prepareLayer(weights, config)
  const threads = await openThreads({ workers: 2 })
  const threaded = await threads.prepareLayer(weights, config)
  const usual = usualLayer(weights, config)
  const onWasm = (compute: (x: tf.Tensor2D) => tf.Tensor, read = reading): Forward => {
    return (hidden) =>
      read(
        () =>
          compute(tf.tensor2d(hidden, [hidden.length / hiddenSize, hiddenSize])).dataSync() as Float32Array,
      )
  }
  const forwards: [name: string, forward: Forward][] = [
    ['moesim', (hidden) => prepared(hidden, routeLayer(hidden, weights, config))],
    [
      'moesim, not prepared',
      (hidden) => forwardLayer(hidden, routeLayer(hidden, weights, config), weights, config),
    ],
    ['moesim, MoELayer', onWasm((x) => layer.apply(x, { training: false }).output)],
    ['tfjs wasm', onWasm(usual)],
    ['tfjs wasm, by tidy', onWasm(usual, tidied)],
  ]
  const files =
    python && Object.fromEntries(Object.entries(weights).map(([name, values]) => [name, python.file(values)]))

  const tables: Table[] = []
  for (const tokens of [256, 2048]) {
    const batches = Array.from({ length: batchesEach }, (_, batch) => {
      const hidden = new Float64Array(tokens * hiddenSize)
      streams('bench')('tokens', 0, batch).normals(hidden)
      return Float32Array.from(hidden)
    })
    const wanted = forwards[0][1](batches[0])
    const contenders = forwards.map(([name, forward]): Contender => {
      agreeOnOutputs(name, wanted, forward(batches[0]))
      return { name, run: (turn) => forward(batches[turn % batchesEach])[0], prepare: () => use('wasm') }
    })
    const shared = batches.map((hidden) => {
      const floats = sharedFloats(hidden.length)
      floats.set(hidden)
      return floats
    })
    agreeOnOutputs('moesim, two threads', wanted, await threaded.forward(shared[0]))
    contenders.splice(1, 0, {
      name: 'moesim, two threads',
      run: async (turn) => (await threaded.forward(shared[turn % batchesEach]))[0],
      async: true,
    })
    for (const [name, by] of torches) {
      const torch = await python?.contender(name, 'torch_layer', {
        by,
        tokens: batches.map(python.file),
        weights: files,
        topK: router.topK,
        scale: router.scale,
        hiddenSize,
        width: expertWidth,
        experts: router.numExperts,
      })
      if (torch === undefined) continue
      const [output] = await torch.results()
      agreeOnOutputs(name, wanted, new Float32Array(new Uint8Array(output).buffer))
      contenders.push(torch)
    }
    const title = `layer forward, D = ${hiddenSize}, F = ${expertWidth}, ${tokens.toLocaleString('en')} tokens`
    tables.push(await inRounds(title, contenders, { time: 200 }))
  }
  await threads.close()
  return tables
}
