/**
 * How much faster do two threads route than one? Logits in shared memory, and logits that are copied to the worker; fewer than
 * 8,192 tokens stay on one thread. It takes a second core that is free: beside other work, a second thread may get none, and
 * the row of two halves tells how much it got.
 */
import { nemotron3Nano, type Routing, route, routerOf, streams } from 'moesim'
import { openThreads, sharedFloats } from 'moesim/threads'
import { type Contender, inRounds, type Table } from './rounds.js'
import { openSecondCore } from './second-core.js'

const router = routerOf(nemotron3Nano)
const { numExperts } = router
const bias = new Float32Array(numExperts)
const batchesEach = 8

export async function threadsTables(): Promise<Table[]> {
  const threads = await openThreads({ workers: 2 })
  const tables: Table[] = []
  for (const tokens of [4096, 16384, 65536]) {
    const shared = Array.from({ length: batchesEach }, (_, batch) => {
      const drawn = new Float64Array(tokens * numExperts)
      streams('bench')('logits', 0, batch).normals(drawn)
      const floats = sharedFloats(drawn.length)
      floats.set(drawn)
      return floats
    })
    const own = shared.map((logits) => Float32Array.from(logits))
    const ways: [name: string, batches: Float32Array[], route: (logits: Float32Array) => Promise<Routing>][] =
      [
        ['two threads, logits shared', shared, (logits) => threads.route(logits, router, bias)],
        ['two threads, logits copied', own, (logits) => threads.route(logits, router, bias)],
        ['one thread', own, async (logits) => route(logits, router, bias)],
      ]
    const wanted = route(own[0], router, bias)
    const contenders: Contender[] = []
    for (const [name, batches, way] of ways) {
      const { experts, weights } = await way(batches[0])
      const same = String(experts) === String(wanted.experts) && String(weights) === String(wanted.weights)
      if (!same) throw new Error(`${name}: experts or weights differ`)
      const run = async (turn: number): Promise<number> => (await way(batches[turn % batchesEach])).weights[0]
      contenders.push({ name: `moesim, ${name}`, run, async: true })
    }
    const second = await openSecondCore(router, tokens / 2, batchesEach)
    const halves = own.map((logits) => logits.subarray(0, logits.length / 2))
    const half = (turn: number): number => route(halves[turn % batchesEach], router, bias).weights[0]
    contenders.push({
      name: 'two halves that share nothing',
      run: (turn) => second.during(() => half(turn)),
    })
    const title = `threads, E = ${numExperts}, K = ${router.topK}, ${tokens.toLocaleString('en')} tokens`
    tables.push(await inRounds(title, contenders))
    await second.close()
  }
  await threads.close()
  return tables
}
