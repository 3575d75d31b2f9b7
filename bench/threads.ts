/*
How much faster do two threads route than one? E = 128, K = 6, as Nemotron 3 Nano; logits in shared memory, and logits that
are copied to the worker; fewer than 8,192 tokens stay on one thread. Each round times all ways, in turn, and its ratios are what
counts: those of a machine with a free second core. Beside other work, a second thread may get no core at all.

npm run bench:threads
*/
import { cpus, loadavg } from 'node:os'
import { nemotron3Nano, type Routing, route, routerOf, streams } from 'moesim'
import { openThreads, sharedFloats } from 'moesim/threads'

const router = routerOf(nemotron3Nano)
const { numExperts } = router
const bias = new Float32Array(numExperts)
const load = (): string => loadavg()[0]!.toFixed(1)
const threads = await openThreads({ workers: 2 })
let sink = 0 // what is computed is used, so that nothing is optimised away

console.log(
  `${cpus()[0].model}, ${cpus().length} cores, load ${load()} before, Node ${process.versions.node}; E = ${numExperts}, K = ${router.topK}`,
)
const at = (all: number[], share: number): number => all[Math.floor(share * (all.length - 1))]
const spread = (all: number[]): string => `${at(all, 0.25).toFixed(2)} to ${at(all, 0.75).toFixed(2)}`
console.log(
  `${'tokens'.padEnd(32)}${'ms, median'.padStart(10)}    least   times one thread, 25 to 75 %, best`,
)
for (const tokens of [4096, 16384, 65536]) {
  const drawn = new Float64Array(tokens * numExperts)
  streams('bench')('logits', 0).normals(drawn)
  const shared = sharedFloats(drawn.length)
  shared.set(drawn)
  const own = Float32Array.from(drawn)
  const ways: [string, () => Routing | Promise<Routing>][] = [
    ['one thread', () => route(shared, router, bias)],
    ['two, logits shared', () => threads.route(shared, router, bias)],
    ['two, logits copied', () => threads.route(own, router, bias)],
  ]
  const [wanted, ...others] = await Promise.all(ways.map(async ([, way]) => way()))
  for (const other of others) {
    for (const part of ['experts', 'weights'] as const) {
      if (String(other[part]) !== String(wanted[part])) throw new Error(`${part} differ`)
    }
  }
  const times: number[][] = ways.map(() => [])
  const rounds = 20 + 2 ** 21 / tokens
  for (let round = -10; round < rounds; round++) {
    for (const [i, [, way]] of ways.entries()) {
      const start = performance.now()
      sink += (await way()).experts[0]
      if (round >= 0) times[i].push(performance.now() - start)
    }
  }
  times.forEach((all, i) => {
    const ratios = all.map((time, round) => times[0][round] / time).toSorted((a, b) => a - b)
    const sorted = all.toSorted((a, b) => a - b)
    const name = `${String(i === 0 ? tokens : '').padStart(6)}  ${ways[i][0]}`
    const ms = `${at(sorted, 0.5).toFixed(3).padStart(10)} ${sorted[0].toFixed(3).padStart(8)}`
    console.log(
      `${name.padEnd(32)}${ms}   ${at(ratios, 0.5).toFixed(2).padStart(16)}, ${spread(ratios)}, ${at(ratios, 1).toFixed(2)}`,
    )
  })
}
console.log(`load ${load()} after`)
await threads.close()
if (Number.isNaN(sink)) console.log(sink)
