/*
How long does one step take, and where does the time go? Compare ratios within one run, not times between machines.

npm run bench
*/
import { cpus } from 'node:os'
import { biasBalance, gaussian, loadOf, nemotron3Nano, route, routerOf, simulate, streams } from 'moesim'
import { Bench } from 'tinybench'

const router = routerOf(nemotron3Nano)
const { numExperts } = router
const workload = gaussian({ numExperts, skew: 0.5 })
const rule = biasBalance({ rate: 1e-3 })
const bias = new Float32Array(numExperts)
let sink = 0 // what is computed is used, so that nothing is optimised away

console.log(
  `${cpus()[0].model}, Node ${process.versions.node}; E = ${numExperts}, K = ${router.topK}, one thread`,
)
for (const tokens of [4096, 16384]) {
  const context = { step: 0, layer: 0, tokens, random: streams('bench') }
  const logits = workload(context).logits as Float32Array
  const routing = route(logits, router, bias)
  const steps = simulate({ router, workload, balance: rule, tokensPerStep: tokens, seed: 'bench' })
  const bench = new Bench({ time: 3000, warmupTime: 500 })
  bench
    .add('draw the logits', () => {
      sink += workload(context).tokens
    })
    .add('route them', () => {
      sink += route(logits, router, bias).experts[0]
    })
    .add('count and update the bias', () => {
      sink += rule.update(rule.init(numExperts), loadOf(routing)).bias[0]
    })
    .add('a whole simulated step', () => {
      sink += steps.next().value?.maxViolation ?? 0
    })
  await bench.run()
  console.log(`\n${tokens} tokens`.padEnd(32), 'ms, median   fastest to 75 %')
  for (const { name, result } of bench.tasks) {
    if (!('latency' in result)) continue
    const { p50, p75, min } = result.latency
    console.log(name.padEnd(31), p50.toFixed(3).padStart(10), `  ${min.toFixed(3)} to ${p75.toFixed(3)}`)
  }
}
if (Number.isNaN(sink)) console.log(sink)
