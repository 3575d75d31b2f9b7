/*
Does the simulator agree with what is derived and published?

npm run science        (some minutes; seeded, so that the table comes out the same every time)

Derived figures are of this project's own formulas and of earlier simulations in other code; "published" ones of
Wang et al., arXiv 2408.15664. A row holds if the simulated figure lies within the tolerance stated.
*/
import { biasBalance, expectedMaxViolation, gaussian, noBalance, type RouterConfig, simulate } from 'moesim'

interface Row {
  what: string
  expected: number
  tolerance: number
  simulated: number
}

const rows: Row[] = []
const sigmoid = { scoreFunction: 'sigmoid', normalize: true, scale: 1 } as const
const small: RouterConfig = { numExperts: 64, topK: 6, ...sigmoid }

/** MaxVio of every step, and the last bias. Logits are c_e + N(0, 1), c_e = 0.5 · Φ⁻¹((e + ½) / E). */
function run(
  router: RouterConfig,
  tokensPerStep: number,
  steps: number,
  balance = biasBalance({ rate: 1e-3 }),
  skew = 0.5,
) {
  const workload = gaussian({ numExperts: router.numExperts, skew })
  const violations: number[] = []
  let bias = new Float32Array(router.numExperts)
  for (const report of simulate({ router, workload, balance, tokensPerStep, steps, seed: 'science' })) {
    violations.push(report.maxViolation)
    bias = report.bias
  }
  return { violations, bias }
}

const mean = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((sum, x) => sum + x, 0) / values.length

function add(what: string, expected: number, tolerance: number, simulated: number): void {
  rows.push({ what, expected, tolerance, simulated })
  process.stderr.write(`${rows.length} rows\r`)
}

// The sampling floor: what MaxVio a perfectly fair router shows (means of simulations in other code, ± 3 %).
const floors: [numExperts: number, topK: number, tokens: number, expected: number][] = [
  [128, 6, 64, 1.749],
  [128, 6, 256, 0.815],
  [128, 6, 1024, 0.386],
  [128, 6, 4096, 0.19],
  [64, 6, 8192, 0.0815],
  [256, 8, 1024, 0.532],
]
for (const [numExperts, topK, tokens, expected] of floors) {
  const router = { numExperts, topK, ...sigmoid }
  const what = `fair ${numExperts}/${topK}, T = ${tokens}`
  const { violations } = run(router, tokens, Math.max(20, Math.ceil(131072 / tokens)), noBalance as never, 0)
  add(`${what}: MaxVio, simulated`, expected, 0.03 * expected, mean(violations))
  add(
    `${what}: MaxVio, closed form`,
    expected,
    0.03 * expected,
    expectedMaxViolation({ tokens, numExperts, topK }),
  )
}

// The sign rule: speed against jitter. Steps until the mean of the 20 that follow is below 0.2, and where it settles.
const speeds: [rate: number, steps: number, reached: number, within: number, settles: number][] = [
  [1e-2, 1000, 16, 4, 0.197],
  [1e-3, 1000, 141, 5, 0.0925],
  [1e-4, 4000, 1490, 40, 0.082],
]
for (const [rate, steps, reached, within, settles] of speeds) {
  const { violations } = run(small, 8192, steps, biasBalance({ rate }))
  const below = violations.findIndex((_, step) => mean(violations.slice(step, step + 20)) < 0.2)
  add(`sign u = ${rate}: MaxVio at the start`, 3.2, 0.2, violations[0])
  add(`sign u = ${rate}: steps to a MaxVio below 0.2`, reached, within, below)
  add(
    `sign u = ${rate}: settles at`,
    settles,
    0.04 * settles,
    mean(violations.slice(-Math.min(1000, steps / 2))),
  )
}

// The proportional rule in units of the mean load is stable while h · u < 2, h = 10.7 here: u = 0.187 is the limit.
for (const [rate, expected] of [
  [1e-2, 0.117],
  [5e-2, 0.139],
  [0.1, 0.23],
]) {
  const { violations, bias } = run(
    small,
    4096,
    600,
    biasBalance({ rate, rule: 'proportional', unit: 'mean' }),
  )
  add(`proportional u = ${rate}: settles at`, expected, 0.15 * expected, mean(violations.slice(-200)))
  add(`proportional u = ${rate}: mean bias stays`, 0, 1e-6, mean(bias))
}
const diverged = run(small, 4096, 600, biasBalance({ rate: 0.2, rule: 'proportional', unit: 'mean' }))
add('proportional u = 0.2: diverges to', 1.83, 0.3, mean(diverged.violations.slice(-200)))

// Where the sign rule settles: about the floor + h · u, good to 15 %.
for (const [numExperts, topK, tokens, rate, expected] of [
  [128, 6, 4096, 1e-3, 0.199],
  [128, 6, 4096, 1e-2, 0.386],
  [16, 2, 4096, 1e-2, 0.14],
]) {
  const { violations } = run({ numExperts, topK, ...sigmoid }, tokens, 600, biasBalance({ rate }))
  add(
    `sign ${numExperts}/${topK}, T = ${tokens}, u = ${rate}: settles at`,
    expected,
    0.15 * expected,
    mean(violations.slice(-200)),
  )
}

console.log(
  `${'figure'.padEnd(52)} ${'expected'.padStart(10)} ${'±'.padStart(8)} ${'simulated'.padStart(10)}`,
)
for (const { what, expected, tolerance, simulated } of rows) {
  const holds = Math.abs(simulated - expected) <= tolerance
  const numbers = [expected, tolerance, simulated].map((x) => String(Number(x.toPrecision(3))))
  console.log(
    `${what.padEnd(52)} ${numbers[0].padStart(10)} ${numbers[1].padStart(8)} ${numbers[2].padStart(10)}  ${holds ? '' : 'DIFFERS'}`,
  )
  if (!holds) process.exitCode = 1
}
