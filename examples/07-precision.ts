/*
What does bf16 do to a router?

npm run lesson 07

Tokens whose set of 6 of 128 experts changes, of 32768, by the spread of their logits
rounded                    1         3
bf16 logits           2.44 %    3.12 %
fp8 logits (e4m3)    33.35 %   39.68 %
bf16 scores           8.60 %   47.55 %
bf16 scores + 5      52.07 %   93.69 %
fp16 scores           1.20 %    8.05 %
fp16 scores + 5       8.60 %   47.55 %
fp32 scores + 5       0.00 %    0.01 %
*/
import {
  agreement,
  gaussian,
  nemotron3Nano,
  type Precision,
  route,
  routeInPrecision,
  routerOf,
  streams,
} from 'moesim'

const router = routerOf(nemotron3Nano)
const { numExperts } = router
const tokens = 32_768
const five = new Float32Array(numExperts).fill(5) // where the shipped biases of DeepSeek-V3 have drifted to

const rows: [name: string, precision: Precision, bias?: Float32Array][] = [
  ['bf16 logits', { logits: 'bf16' }],
  ['fp8 logits (e4m3)', { logits: 'fp8-e4m3' }],
  ['bf16 scores', { scores: 'bf16' }],
  ['bf16 scores + 5', { keys: 'bf16' }, five],
  ['fp16 scores', { scores: 'fp16' }],
  ['fp16 scores + 5', { keys: 'fp16' }, five],
  ['fp32 scores + 5', {}, five],
]

/** Share of tokens whose set of experts is not the one of float32, for each row. */
function changed(spread: number): string[] {
  const batch = gaussian({ numExperts, spread })({ tokens, layer: 0, step: 0, random: streams(7) })
  const logits = batch.logits as Float32Array
  const exact = route(logits, router)
  return rows.map(([, precision, bias]) => {
    const { differingTokenShare } = agreement(exact, routeInPrecision(logits, router, precision, bias))
    return `${(100 * differingTokenShare).toFixed(2)} %`.padStart(10)
  })
}
const [one, three] = [changed(1), changed(3)]
console.log(`Tokens whose set of 6 of 128 experts changes, of ${tokens}, by the spread of their logits`)
console.log(`${'rounded'.padEnd(18)}${'1'.padStart(10)}${'3'.padStart(10)}`)
rows.forEach(([name], row) => console.log(name.padEnd(18) + one[row] + three[row]))

// Rounding never reorders two experts: it only makes them equal, and a tie goes to the lower index, right or wrong. So
// what counts is how many values of the format lie between neighbours: sigmoid squeezes the best scores together below
// 1, and an offset of 5, harmless in float32, takes three bits more. bf16 scores and fp16 scores + 5 are one grid.
// All are the exact chance, within what so many tokens can tell: 3.10 % and 1.12 % where 2.7 % and 1.2 % are published.
