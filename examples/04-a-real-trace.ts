/*
Does a trained router balance, and do its experts have subjects?

npm run lesson 04

layer 1
  tokens routed otherwise than recorded   0 of 3840
  MaxVio                                  0.489, by chance 0.194
  same first expert as the token before   0.021, by chance 0.010
  bits an expert tells of the domain      0.315
  share of Python's tokens at one expert  0.263, by chance 0.047
layer 4
  tokens routed otherwise than recorded   0 of 3840
  MaxVio                                  1.083, by chance 0.194
  same first expert as the token before   0.053, by chance 0.011
  bits an expert tells of the domain      1.092
  share of Python's tokens at one expert  0.722, by chance 0.047
layer 6
  tokens routed otherwise than recorded   0 of 3840
  MaxVio                                  0.894, by chance 0.194
  same first expert as the token before   0.075, by chance 0.011
  bits an expert tells of the domain      0.867
  share of Python's tokens at one expert  0.625, by chance 0.047
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
    `  same first expert as the token before   ${pair(locality.firstRepeats, locality.firstRepeatsByChance)}`,
  )
  console.log(`  bits an expert tells of the domain      ${layer.mutualInformation.toFixed(3)}`)
  console.log(`  share of Python's tokens at one expert  ${pair(python.topShare, 6 / 128)}`)
}

function pair(value: number, chance: number): string {
  return `${value.toFixed(3)}, by chance ${chance.toFixed(3)}`
}

// Balanced over all domains, and far from it within one: the load that counts depends on the window you count in.
