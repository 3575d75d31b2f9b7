import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  applyCapacity,
  batchPrioritizedOrder,
  biasBalance,
  type CapacityPolicy,
  choiceMajorOrder,
  expectedDropShare,
  gaussian,
  megatronCapacity,
  nemotron3Nano,
  probabilityOrder,
  randomOrder,
  reportToJson,
  routerOf,
  type StepReport,
  simulate,
} from 'moesim'
import { expect, test } from 'vitest'
import { interruptAt, moesim, newFolder, reports } from './terminal.js'

const sizes = 'simulate --experts 16 --top-k 2 --tokens 128 --steps 25'
const small = `${sizes} --rate 0.02`
const reference = (capacity: CapacityPolicy, layers = 1): StepReport[] => [
  ...simulate({
    router: { ...routerOf(nemotron3Nano), numExperts: 16, topK: 2 },
    balance: biasBalance({ rate: 0.02 }),
    workload: gaussian({ numExperts: 16, skew: 0.5 }),
    tokensPerStep: 128,
    steps: 25,
    layers,
    capacity,
  }),
]
const by =
  (order: (...asked: Parameters<CapacityPolicy>) => Int32Array, factor = 1.25): CapacityPolicy =>
  (routing, context) =>
    applyCapacity(routing, {
      capacity: megatronCapacity(routing, { factor }),
      order: order(routing, context),
    })

test.each<[drop: string, policy: CapacityPolicy, words: string]>([
  ['', by(probabilityOrder), 'the smallest weights are dropped'],
  ['--drop probs', by(probabilityOrder), 'the smallest weights are dropped'],
  ['--drop first-come', by(choiceMajorOrder), 'first choices first, then by position'],
  [
    '--drop random',
    by((routing, { random, layer, step }) => randomOrder(routing, random('capacity', layer, step))),
    'who is dropped is random',
  ],
  ['--drop priority', by(batchPrioritizedOrder), 'tokens with a large weight first'],
])('--capacity-factor 1.25 %s is what the library does of that name', async (drop, policy, words) => {
  const out = join(newFolder(), 'run.jsonl')
  const { code, stdout } = await moesim(`${small} --capacity-factor 1.25 ${drop} --out ${out}`)
  expect(code).toBe(0)
  expect(stdout).toContain(`\ncapacity factor 1.25, 20 assignments an expert: ${words}\n`)
  const lines = reference(policy).map((report) => `${JSON.stringify(reportToJson(report))}\n`)
  const bare = reports(out).map(({ setup: _, ...line }) => `${JSON.stringify(line)}\n`)
  expect(bare.join('')).toBe(lines.join(''))
})

test('the summary tells assignments dropped and tokens without an expert, beside what fair routing drops', async () => {
  const { stdout } = await moesim(`${small} --capacity-factor 1.25`)
  expect(stdout.replace(/\nLoad of each expert, first[\s\S]+mean load\n/, '')).toMatchInlineSnapshot(`
    "router changed from that of nemotron-3-nano-30b-a3b: 16 experts, top 2, sigmoid
    gaussian tokens, skew 0.5: 128 tokens a step, 1 layer
    sign rule, rate 0.02: 25 steps, seed 0
    capacity factor 1.25, 20 assignments an expert: the smallest weights are dropped

         step  MaxVio     CV   Gini  entropy  dead  bias spread  dropped  unrouted
            0   0.693  0.612  0.344   0.9151   1.0        0.000       67         5
            1   0.600  0.522  0.295   0.9404   0.0        0.040       56         2
            2   0.368  0.342  0.183   0.9736   0.0        0.080       22         0
            5   0.285  0.295  0.162   0.9827   0.0        0.200        7         0
           10   0.275  0.222  0.121   0.9903   0.0        0.320        5         0
           20   0.356  0.238  0.131   0.9899   0.0        0.360       20         0
           24   0.260  0.171  0.094   0.9948   0.0        0.320        2         0
    by chance                                                        4.8

    The last 20 steps: MaxVio 0.293; of their summed load 0.050.
    First step: 26.17 % of assignments dropped, 3.91 % of tokens left without an expert.
    The last 20 steps: 3.26 % of assignments dropped, 0.00 % of tokens left without an expert; fair routing drops 1.86 %.
    Load and MaxVio are those after the drop, which evens them out whatever the router does: judge it by its drops.
    "
  `)
  expect(stdout).not.toContain('n balance')
})

test('beside a load after the drop stands no floor of routing that drops nothing', async () => {
  const words = `${sizes} --rule none --skew 0.1 --capacity-factor 1 --json`
  const json = JSON.parse((await moesim(words)).stdout)
  for (const name of ['chance', 'globalChance', 'balancedAt']) expect(json).not.toHaveProperty(name)
  for (const row of json.rows) expect(row).not.toHaveProperty('expectedMaxViolation')
  expect(json.drops.last.ofAssignments).toBeGreaterThan(json.drops.chance) // which tells that it is out of balance
})

test('its figures are those of the library, over all layers', async () => {
  const { stdout } = await moesim(`${small} --capacity-factor 0.5 --layers 2 --json`)
  const { drops, capacity, balancedAt, rows } = JSON.parse(stdout)
  const reports = reference(by(probabilityOrder, 0.5), 2)
  expect(capacity).toBe(8)
  expect(balancedAt).toBeUndefined()
  const mean = (of: StepReport[], key: 'dropped' | 'unroutedTokens'): number =>
    of.reduce((sum, report) => sum + report[key], 0) / of.length
  for (const [name, of] of [
    ['first', reports.slice(0, 1)],
    ['last', reports.slice(-20)],
  ] as const) {
    expect(drops[name].ofAssignments).toBeCloseTo(mean(of, 'dropped') / (2 * 128 * 2), 12)
    expect(drops[name].ofTokens).toBeCloseTo(mean(of, 'unroutedTokens') / (2 * 128), 12)
  }
  expect(drops.last.ofTokens).toBeGreaterThan(0)
  expect(drops.chance).toBe(expectedDropShare({ tokens: 128, numExperts: 16, topK: 2, capacity: 8 }))
  for (const { step, dropped, unroutedTokens } of rows) {
    expect(dropped).toBe(reports[step].dropped)
    expect(unroutedTokens).toBe(reports[step].unroutedTokens)
  }
})

test('without a capacity nothing is said of drops', async () => {
  const { stdout } = await moesim(`${small} --json`)
  const json = JSON.parse(stdout)
  expect(json.drops).toBeUndefined()
  expect(json.capacity).toBeUndefined()
  expect(json.rows[0]).toMatchObject({ dropped: 0, unroutedTokens: 0 })
  expect((await moesim(small)).stdout).not.toContain('dropped')
})

test('an interrupted run goes on with its capacity, and comes to the same summary', async () => {
  const folder = newFolder()
  const [whole, cut] = [join(folder, 'whole.jsonl'), join(folder, 'cut.jsonl')]
  const words = `${small} --capacity-factor 1 --drop random`
  const { stdout } = await moesim(`${words} --out ${whole}`)
  expect((await moesim(`${words} --out ${cut}`, interruptAt(7))).code).toBe(130)
  const resumed = await moesim(`simulate --resume ${cut}`)
  expect(resumed.code).toBe(0)
  expect(resumed.stdout).toBe(stdout)
  expect(readFileSync(cut, 'utf8')).toBe(readFileSync(whole, 'utf8'))
})

test.each([
  ['--capacity-factor 0', '--capacity-factor must be above 0, got "0". Use 1.25'],
  ['--capacity-factor wide', '--capacity-factor must be a finite number, got "wide". Use 1.25'],
  [
    '--capacity-factor 1 --drop last',
    '--drop must be one of probs, first-come, random, priority, got "last".',
  ],
  ['--drop probs', 'simulate: --capacity-factor is what makes room run out, got "--drop".'],
])('simulate %s is refused', async (words, message) => {
  const { code, stderr } = await moesim(`simulate ${words}`)
  expect(code).toBe(2)
  expect(stderr).toContain(`moesim: ${message}`)
})
