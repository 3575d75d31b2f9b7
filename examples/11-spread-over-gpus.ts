/*
Spread over GPUs: what does it cost?

npm run lesson 11

busiest / mean                 placed by these 12 texts      by 12 others
GPUs layer   loaded   chance     EPLB   search  +copies     EPLB  +copies
   8     1    1.088    1.055    1.001    1.000    1.001    1.043    1.067
   8     4    1.247    1.113    1.010    1.000    1.002    1.048    1.074
   8     6    1.058    1.103    1.009    1.000    1.001    1.066    1.064
  16     1    1.167    1.098    1.004    1.000    1.001    1.078    1.097
  16     4    1.261    1.213    1.056    1.001    1.003    1.218    1.221
  16     6    1.174    1.186    1.043    1.001    1.005    1.131    1.082
  32     1    1.247    1.170    1.028    1.003    1.001    1.128    1.169
  32     4    1.383    1.397    1.136    1.056    1.003    1.353    1.233
  32     6    1.314    1.343    1.144    1.031    1.006    1.211    1.143
  64     1    1.372    1.299    1.117    1.117    1.017    1.378    1.392
  64     4    1.650    1.746    1.461    1.461    1.006    1.689    1.356
  64     6    1.656    1.623    1.394    1.394    1.008    1.533    1.267
*/
import { readFileSync } from 'node:fs'
import * as moe from 'moesim'

const { layers, sequences } = moe.readTrace(readFileSync(new URL('data/trace.safetensors', import.meta.url)))

/** [E] the load of 128 experts by every second text; a token has 6. */
function loadOfHalf(experts: Int32Array, half: number): Float64Array {
  const load = new Float64Array(128)
  experts.forEach((expert, i) => {
    if (sequences[Math.floor(i / 6)] % 2 === half) load[expert]++
  })
  return load
}

console.log('busiest / mean                 placed by these 12 texts      by 12 others')
console.log('GPUs layer   loaded   chance     EPLB   search  +copies     EPLB  +copies')
for (const ranks of [8, 16, 32, 64]) {
  for (const { index, experts } of layers) {
    const [load, others] = [loadOfHalf(experts, 0), loadOfHalf(experts, 1)]
    const factor = (policy: moe.PlacementPolicy, by = load, replicas = 128) =>
      moe.stragglerFactor(load, policy(by, { ranks, replicas }), ranks)
    const chance = moe.randomPlacement(moe.streams(11)('placement', index))
    const random = Array.from({ length: 50 }, () => factor(chance))
    const factors = [
      factor(moe.linearPlacement),
      random.reduce((sum, one) => sum + one) / random.length,
      factor(moe.placeExperts),
      factor(moe.placeBySearch),
      factor(moe.placeExperts, load, 128 + ranks), // one spare slot a GPU
      factor(moe.placeExperts, others),
      factor(moe.placeExperts, others, 128 + ranks),
    ]
    const cells = factors.map((one) => one.toFixed(3).padStart(9)).join('')
    console.log(`${ranks}`.padStart(4) + `${index}`.padStart(6) + cells)
  }
}

// All GPUs wait for the busiest. Placement evens out the texts it was made by; with two experts a GPU only copies help.
// But texts differ: what was placed by 12 of them is hardly better than chance for 12 others.
