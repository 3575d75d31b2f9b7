/*
How many experts does a batch read?

npm run lesson 10

tokens   by chance   all texts  neighbours GB of Nano MB a token
     1         6.0         6.0         6.0        3.2       3228
     8        40.8        41.5        34.2       11.2       1402
    16        68.6        69.7        53.2       17.6       1100
    32       100.5       101.4        74.3       24.9        778
    64       122.1       122.2        92.0       29.9        467
   128       127.7       127.7       106.8       31.2        243
   256       128.0       128.0       116.2       31.2        122
90 % at 48 tokens, 99 % at 96;
an H200 multiplies longer than it reads from 4398
*/
import { readFileSync } from 'node:fs'
import {
  computeBoundTokens,
  decodeBytes,
  expectedDistinctExperts,
  hardware,
  memoryOf,
  nemotron3Nano,
  readTrace,
  tokensToTouch,
} from 'moesim'

// 128 experts, 6 a token: chance has a formula, and a small trained model with this router has a trace of 12 domains.
const choices = { numExperts: 128, topK: 6 }
const { tokens: all, layers } = readTrace(readFileSync(new URL('data/trace.safetensors', import.meta.url)))
const nano = memoryOf(nemotron3Nano, { weights: 'fp8' })

/** Distinct experts of all batches of recorded tokens; `token` says which is the i-th of a batch. */
const recorded = (size: number, token: (batch: number, i: number) => number): number[] =>
  layers.flatMap(({ experts }) =>
    Array.from({ length: Math.floor(all / size) }, (_, batch) => {
      const tokens = Array.from({ length: size }, (_, i) => 6 * token(batch, i))
      return new Set(tokens.flatMap((first) => [...experts.subarray(first, first + 6)])).size
    }),
  )
const mean = (counts: number[]) => counts.reduce((sum, count) => sum + count, 0) / counts.length

console.log('tokens   by chance   all texts  neighbours GB of Nano MB a token')
for (const tokens of [1, 8, 16, 32, 64, 128, 256]) {
  const { commonBytes, expertBytes } = decodeBytes(nano, { batch: tokens, contextTokens: 0 })
  const [bytes, batches] = [commonBytes + expertBytes, Math.floor(all / tokens)]
  const read = [
    expectedDistinctExperts({ ...choices, tokens }),
    mean(recorded(tokens, (batch, i) => i * batches + batch)),
    mean(recorded(tokens, (batch, i) => batch * tokens + i)),
  ].map((count) => count.toFixed(1).padStart(12))
  const cells = [(bytes / 1e9).toFixed(1).padStart(11), (bytes / 1e6 / tokens).toFixed(0).padStart(11)]
  console.log([String(tokens).padStart(6), ...read, ...cells].join(''))
}
const bound = (computeBoundTokens(hardware.h200, { weights: 'fp8', activations: 'fp8' }) * 128) / 6
console.log(`90 % at ${tokensToTouch(0.9, choices)} tokens, 99 % at ${tokensToTouch(0.99, choices)};`)
console.log(`an H200 multiplies longer than it reads from ${bound.toFixed(0)}`)

// Neighbours in a text want the same experts, so a batch of one text reads fewer than chance has it.
