/*
How long does it take to place the experts of a model of DeepSeek-V3's size: 58 layers × 256 experts in 288 slots on
32 ranks of 4 nodes? The time is for all layers, one thread.

npm run bench:place

Where there is a python3 with torch, and eplb.py of deepseek-ai/EPLB on PYTHONPATH, the reference is timed as well.
*/
import { spawnSync } from 'node:child_process'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import {
  dirichlet,
  type PlacementPolicy,
  placeBySearch,
  placeExperts,
  stragglerFactor,
  streams,
} from 'moesim'
import { Bench } from 'tinybench'

const numExperts = 256
const layers = 58
const loads = Array.from({ length: layers }, (_, layer) => {
  const shares = dirichlet(streams('bench')('loads', layer), new Float64Array(numExperts).fill(2))
  return Int32Array.from(shares, (share) => Math.round(share * 1e6))
})
const hierarchical = { replicas: 288, ranks: 32, nodes: 4, groups: 8 }
const global = { replicas: 288, ranks: 32, nodes: 1, groups: 1 }
const rows: [string, PlacementPolicy, typeof global][] = [
  ['EPLB, hierarchical', placeExperts, hierarchical],
  ['EPLB, global', placeExperts, global],
  ['search, hierarchical', placeBySearch, hierarchical],
  ['search, global', placeBySearch, global],
]

console.log(`${cpus()[0].model}, Node ${process.versions.node}`)
console.log(
  `${layers} layers × ${numExperts} experts in 288 slots on 32 ranks; 4 nodes, 8 groups where hierarchical`,
)
console.log(`${''.padEnd(23)}${'ms, median'.padStart(11)}   fastest to 75 %   mean straggler factor`)
const bench = new Bench({ time: 2000, warmupTime: 300 })
let sink = 0 // what is computed is used, so that nothing is optimised away
for (const [name, policy, cluster] of rows) {
  bench.add(name, () => {
    for (const load of loads) sink += policy(load, cluster).experts[0]
  })
}
await bench.run()
const medians: number[] = []
bench.tasks.forEach(({ name, result }, i) => {
  if (!('latency' in result)) return
  const { p50, p75, min } = result.latency
  const [, policy, cluster] = rows[i]
  medians.push(p50)
  const factors = loads.map((load) => stragglerFactor(load, policy(load, cluster), cluster.ranks))
  const mean = factors.reduce((sum, factor) => sum + factor, 0) / layers
  const spread = `${min.toFixed(1)} to ${p75.toFixed(1)}`
  console.log(`${name.padEnd(23)}${p50.toFixed(1).padStart(11)}   ${spread.padEnd(15)}   ${mean.toFixed(4)}`)
})

const peer = fileURLToPath(new URL('peers/time-eplb.py', import.meta.url))
const clusters = [hierarchical, global].map(({ replicas, groups, nodes, ranks }) => [
  replicas,
  groups,
  nodes,
  ranks,
])
const input = JSON.stringify({ loads: loads.map((load) => [...load]), clusters })
const { status, stdout, stderr } = spawnSync('python3', [peer], { input, encoding: 'utf8' })
if (status === 0) {
  const { torch, times } = JSON.parse(stdout) as { torch: string; times: number[] }
  times.forEach((time, i) => {
    const ratio = `${(time / medians[i]).toFixed(0)} times as long as ${rows[i][0]}`
    console.log(`${`reference, torch ${torch}`.padEnd(23)}${time.toFixed(1).padStart(11)}   ${ratio}`)
  })
} else {
  const reason = stderr?.trim().split('\n').at(-1) || 'there is no python3'
  console.log(`No reference: ${reason}. It needs python3 with torch, and eplb.py on PYTHONPATH.`)
}
if (Number.isNaN(sink)) console.log(sink)
