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

/** Answers of each worker that the page has started: what a worker leaves undone, the page does itself, with the same result. */
const answers: number[] = []

globalThis.Worker = class extends Worker {
  constructor(...given: ConstructorParameters<typeof Worker>) {
    super(...given)
    const own = answers.push(0) - 1
    this.addEventListener('message', ({ data }) => {
      if (data.made !== undefined) answers[own]++
    })
  }
}

/** Routes, and computes a layer, by three threads of the page and by one. */
async function routeTwice(): Promise<{
  isolated: boolean
  workers: number
  /** Of each worker beside the page: answers to routing, and to the layer. */
  routed: number[]
  computed: number[]
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
  const routed = answers.splice(0, answers.length, ...answers.map(() => 0))
  const wanted = route(logits, router)
  const sameOutput = await computeTwice(threads, logits)
  const computed = [...answers]
  const { workers } = threads
  logits[12_300 * router.numExperts] = Number.NaN
  const refused = await threads.route(logits, router).then(String, String)
  await threads.close()
  return {
    isolated: typeof SharedArrayBuffer !== 'undefined' && logits.buffer instanceof SharedArrayBuffer,
    workers,
    ...{ routed, computed },
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
