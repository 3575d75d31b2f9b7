import { nemotron3Nano, route, routerOf, streams } from 'moesim'
import { openThreads, sharedFloats } from 'moesim/threads'

/** Routes by three threads of the page and by one. */
async function routeTwice(): Promise<{
  isolated: boolean
  workers: number
  sameExperts: boolean
  sameWeights: boolean
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
  const { workers } = threads
  logits[12_300 * router.numExperts] = Number.NaN
  const refused = await threads.route(logits, router).then(String, String)
  await threads.close()
  return {
    isolated: typeof SharedArrayBuffer !== 'undefined' && logits.buffer instanceof SharedArrayBuffer,
    workers,
    sameExperts: String(found.experts) === String(wanted.experts),
    sameWeights: String(found.weights) === String(wanted.weights),
    refused,
  }
}

export type Found = Awaited<ReturnType<typeof routeTwice>>
Object.assign(globalThis, { routeTwice })
