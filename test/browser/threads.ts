import {
  type LayerConfig,
  nemotron3Nano,
  prepareLayer,
  randomWeights,
  route,
  routerOf,
  streams,
} from 'moesim'
import { openThreads, sharedFloats, type Threads } from 'moesim/threads'

/** Routes, and computes a layer, by three threads of the page and by one. */
async function routeTwice(): Promise<{
  isolated: boolean
  workers: number
  sameExperts: boolean
  sameWeights: boolean
  sameOutput: boolean
  refused: string
}> {
  const router = routerOf(nemotron3Nano)
  const drawn = new Float64Array(12_400 * router.numExperts)
  streams('page')('logits', 0).normals(drawn)
  const logits = sharedFloats(drawn.length)
  logits.set(drawn)
  const threads = await openThreads({ workers: 3 })
  const found = await threads.route(logits, router)
  const wanted = route(logits, router)
  const sameOutput = await computeTwice(threads, logits)
  const { workers } = threads
  logits[12_300 * router.numExperts] = Number.NaN
  const refused = await threads.route(logits, router).then(String, String)
  await threads.close()
  return {
    isolated: typeof SharedArrayBuffer !== 'undefined' && logits.buffer instanceof SharedArrayBuffer,
    workers,
    sameExperts: String(found.experts) === String(wanted.experts),
    sameWeights: String(found.weights) === String(wanted.weights),
    sameOutput,
    refused,
  }
}

async function computeTwice(threads: Threads, hidden: Float32Array): Promise<boolean> {
  const router = { ...routerOf(nemotron3Nano), numExperts: 16 }
  const config: LayerConfig = { hiddenSize: 128, expertWidth: 16, router, activation: 'relu2', gated: false }
  const weights = randomWeights(config, streams('page'))
  const layer = await threads.prepareLayer(weights, config)
  const found = await layer.forward(hidden)
  await layer.close()
  return String(found) === String(prepareLayer(weights, config)(hidden))
}

export type Found = Awaited<ReturnType<typeof routeTwice>>
Object.assign(globalThis, { routeTwice })
