/*
Why is a 30B model called "A3B"?

npm run lesson 01

stored                      31577940288 = 31.578B
active, without embeddings  2875433280 = 2.875B
active, with the head       3227754816 = 3.228B   <- "A3B"
active, with both           3580076352 = 3.580B

mamba            891070784 stored, 100.00 % active
routedExperts  29374808064 stored,   4.69 % active
sharedExperts    458981376 stored, 100.00 % active
router             7913472 stored, 100.00 % active
routerBias            2944 stored, 100.00 % active
attention        140378112 stored, 100.00 % active
norms               142464 stored, 100.00 % active
embedding        352321536 stored, 100.00 % active
lmHead           352321536 stored, 100.00 % active
*/
import { countParameters, nemotron3Nano } from 'moesim'

const { total, active, parts } = countParameters(nemotron3Nano)
const billions = (count: number): string => `${(count / 1e9).toFixed(3)}B`

console.log(`stored                      ${total} = ${billions(total)}`)
console.log(`active, without embeddings  ${active.backbone} = ${billions(active.backbone)}`)
console.log(`active, with the head       ${active.withHead} = ${billions(active.withHead)}   <- "A3B"`)
console.log(`active, with both           ${active.withEmbedding} = ${billions(active.withEmbedding)}`)
console.log()
for (const [part, { total: stored, active: used }] of Object.entries(parts)) {
  const share = ((100 * used) / stored).toFixed(2)
  console.log(`${part.padEnd(14)} ${String(stored).padStart(11)} stored, ${share.padStart(6)} % active`)
}

// 128 experts stand in memory and 6 work on a token: stored and active are two numbers, and "active" itself is three.
