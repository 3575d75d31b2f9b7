/*
Are the random words random? Batteries of tests, of TestU01 and dieharder, on words cut from the streams in all the ways in
which a simulation cuts them. Exits with 1 if a test fails.

npm run bench:random                          everything, in an hour
npm run bench:random -- batches SmallCrush    one way of cutting, one battery
npm run bench:random -- --seed run-7
*/
import { parseArgs } from 'node:util'
import { findBatteries } from './random/batteries.js'
import { sequences } from './random/streams.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: 'string', default: '1' } },
})
const { found, missing } = findBatteries()
for (const name of missing) console.log(name)
if (found.length === 0) process.exitCode = 1
const cuts = Object.keys(sequences)
const known = [...cuts, ...found.map(({ name }) => name)]
const unknown = positionals.find((name) => !known.includes(name))
if (unknown !== undefined) throw new Error(`There is no ${unknown}. Choose from ${known.join(', ')}.`)
const chosen = <T>(all: readonly T[], name: (one: T) => string): readonly T[] => {
  const some = all.filter((one) => positionals.includes(name(one)))
  return some.length > 0 ? some : all
}

/** The bounds of dieharder: of a good generator one p-value in 500,000 fails, and one in 100 is weak. */
const failed = (p: number): boolean => Math.min(p, 1 - p) < 1e-6
const weak = (p: number): boolean => Math.min(p, 1 - p) < 0.005

let [all, weakOnes, failures] = [0, 0, 0]
for (const battery of chosen(found, ({ name }) => name)) {
  for (const cut of chosen(cuts, (name) => name)) {
    const results = await battery.run(sequences[cut](values.seed))
    const odd = results.filter(({ p }) => weak(p))
    const told = odd.map(
      ({ test, p }) => `${failed(p) ? 'FAILED' : 'weak'}: ${test}, p = ${p.toPrecision(3)}`,
    )
    console.log([`${battery.name}, ${cut}: ${results.length} p-values`, ...told].join('; '))
    all += results.length
    weakOnes += odd.length
    failures += results.filter(({ p }) => failed(p)).length
  }
}
console.log(`${all} p-values: ${failures} failed, ${weakOnes - failures} weak`)
if (failures > 0) process.exitCode = 1
