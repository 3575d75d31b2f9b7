/*
Why is Nemotron 3 Nano faster than Qwen3-30B-A3B: sparsity or cache?

npm run lesson 12

                         active   cache  state   tokens a second at most, over Qwen3-30B-A3B
                              B  KiB/tk     MB   batch 1    64   128   256  all that fit
Qwen3-30B-A3B              3.04      48    0.0      1.00  1.00  1.00  1.00   1.00 at 119
Nemotron 3 Nano            3.23       3   49.1      1.14  2.06  2.66  3.41   5.85 at 958
Nano with Qwen3’s cache    3.23      48    0.0      0.95  1.00  0.99  1.00   0.99 at 118
Qwen3 with Nano’s cache    3.04       3   49.1      1.21  2.07  2.71  3.46   5.89 at 969
*/
import {
  activeParametersOf,
  hardware,
  largestBatch,
  type ModelMemory,
  memoryBoundTokensPerSecond,
  memoryOf,
  presets,
} from 'moesim'

// One H200; weights, keys and values in fp8; 8K tokens in and 16K out, so 16K of context on average. Published: 3.3 times.
const at = { contextTokens: 16384 }
const formats = { weights: 'fp8', keyValues: 'fp8' } as const
const nano = memoryOf(presets['nemotron-3-nano-30b-a3b'], formats)
const qwen = memoryOf(presets['qwen3-30b-a3b'], formats)
const models: [string, ModelMemory][] = [
  ['Qwen3-30B-A3B', qwen],
  ['Nemotron 3 Nano', nano],
  ['Nano with Qwen3’s cache', { ...nano, caches: qwen.caches, stateBytes: 0 }],
  ['Qwen3 with Nano’s cache', { ...qwen, caches: nano.caches, stateBytes: nano.stateBytes }],
]
const speed = (model: ModelMemory, batch: number) =>
  memoryBoundTokensPerSecond(model, hardware.h200, { ...at, batch })
const fits = (model: ModelMemory) => largestBatch(model, hardware.h200, at)

console.log('                         active   cache  state   tokens a second at most, over Qwen3-30B-A3B')
console.log('                              B  KiB/tk     MB   batch 1    64   128   256  all that fit')
for (const [name, model] of models) {
  const ratios = [1, 64, 128, 256].map((batch) => speed(model, batch) / speed(qwen, batch))
  const best = speed(model, fits(model)) / speed(qwen, fits(qwen))
  console.log(
    name.padEnd(23),
    (activeParametersOf(model) / 1e9).toFixed(2).padStart(7),
    String(model.caches[0].bytesPerToken / 1024).padStart(7),
    (model.stateBytes / 1e6).toFixed(1).padStart(6),
    ratios.map((ratio, i) => ratio.toFixed(2).padStart(i === 0 ? 9 : 5)).join(' '),
    `${best.toFixed(2).padStart(6)} at ${fits(model)}`,
  )
}

// Nano activates more. Give it Qwen3's cache and the gain is gone; give Qwen3 Nano's cache and it has it. These are upper
// bounds of memory alone: 3.3 is measured with prefill, kernels and scheduling in it.
