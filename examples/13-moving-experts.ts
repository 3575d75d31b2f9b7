/*
How often should experts move?

npm run lesson 13

placed anew                 busiest GPU / mean   MiB moved a step
never                                     3.05               0.00
every 50 steps                            2.21               0.03
every 10 steps                            1.53               0.21
  by the last step alone                  1.40               0.21
  statistics 10 steps late                1.67               0.21
  slots as they come                      1.53               0.22
  ranks aligned                           1.53               0.17
every step                                1.25               2.07
*/
import { readFileSync } from 'node:fs'
import { alignRanks, type RebalanceOptions, readTrainingLoad, rebalance } from 'moesim'

// The last MoE layer of a small model while its router learns: 128 experts, 144 slots on 16 GPUs, 16 KiB an expert.
const file = new URL('data/training-load.safetensors', import.meta.url)
const { counts, layers, numExperts } = readTrainingLoad(readFileSync(file))
const loads = Array.from({ length: 150 }, (_, step) => {
  const first = (step * layers + layers - 1) * numExperts
  return counts.subarray(first, first + numExperts)
})
const usual = { cluster: { replicas: 144, ranks: 16 }, expertBytes: 16384, interval: 10, window: 10 }

const rows: [name: string, own: Partial<RebalanceOptions>][] = [
  ['never', { interval: 1000 }],
  ['every 50 steps', { interval: 50, window: 50 }],
  ['every 10 steps', {}],
  ['  by the last step alone', { window: 1 }],
  ['  statistics 10 steps late', { lag: 10 }],
  ['  slots as they come', { arrange: (_, after) => after }],
  ['  ranks aligned', { arrange: alignRanks }],
  ['every step', { interval: 1, window: 1 }],
]
console.log('placed anew                 busiest GPU / mean   MiB moved a step')
for (const [name, own] of rows) {
  const steps = [...rebalance(loads, { ...usual, ...own })].slice(20)
  const factor = steps.reduce((sum, step) => sum + step.stragglerFactor, 0) / steps.length
  const bytes = steps.reduce((sum, { migration }) => sum + migration.movedBytes, 0) / steps.length
  console.log(
    `${name.padEnd(28)}${factor.toFixed(2).padStart(18)}${(bytes / 2 ** 20).toFixed(2).padStart(19)}`,
  )
}

// A placement is always one of the past. While the load still moves, fresh statistics count for more than many of them.
// EPLB starts from nothing each time and moves more than nine replicas of ten; keeping slots and ranks in place saves a part of it.
