/*
Does a trained router balance, and do its experts have subjects?

npm run lesson 04
*/
import { readFileSync } from 'node:fs'
import { readTrace, replayTrace } from 'moesim'

// Router inputs recorded in a small trained NemotronH-type model: 3840 bytes of text from 12 domains.
const trace = readTrace(readFileSync(new URL('data/trace.safetensors', import.meta.url)))

for (const layer of replayTrace(trace)) {
  const { agreement, balance, chance, locality, domains } = layer
  const python = domains[trace.domainNames.indexOf('python')]
  console.log(`layer ${layer.index}`)
  console.log(`  tokens routed otherwise than recorded   ${agreement.differingTokens} of ${agreement.tokens}`)
  console.log(`  MaxVio                                  ${pair(balance.maxViolation, chance.maxViolation)}`)
  console.log(
    `  first expert same as the token before   ${pair(locality.firstRepeats, locality.firstRepeatsByChance, 3)}`,
  )
  console.log(`  bits that the expert tells of the domain  ${layer.mutualInformation.toFixed(3)}`)
  console.log(
    `  Python's favourite, expert ${python.topExpert}: ${percent(python.topShare)} of its tokens, by chance ${percent(6 / 128)}`,
  )
}

function pair(value: number, chance: number, digits = 2): string {
  return `${value.toFixed(digits)}, by chance ${chance.toFixed(digits)}`
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`
}

// Balanced over all domains, and far from it within one: the load that counts depends on the window you count in.
