/*
Why is a 30B model called "A3B"?

npm run lesson 01
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
  console.log(
    `${part.padEnd(16)} ${billions(stored).padStart(8)} stored, ${share.padStart(6)} % of it read per token`,
  )
}

// 128 experts stand in memory and 6 are read: total, active and resident are three different numbers.
