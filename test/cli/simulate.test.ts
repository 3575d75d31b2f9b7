import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import {
  biasBalance,
  domains,
  gaussian,
  globalMaxViolation,
  nemotron3Nano,
  noBalance,
  presets,
  reportToJson,
  resolveRouter,
  routerOf,
  type StepReport,
  simulate,
} from 'moesim'
import { describe, expect, test } from 'vitest'
import { dataFile, moesim, newFolder, reports } from './terminal.js'

const small = 'simulate --experts 16 --top-k 2 --tokens 256 --steps 40 --rate 0.01'
const router = { ...routerOf(nemotron3Nano), numExperts: 16, topK: 2 }
const reference = (steps: number, own: object = {}): StepReport[] => [
  ...simulate({
    router,
    balance: biasBalance({ rate: 0.02 }),
    workload: gaussian({ numExperts: 16, skew: 0.5 }),
    tokensPerStep: 128,
    steps,
    ...own,
  }),
]
const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length

test('simulate says what it simulates, then step by step and expert by expert what came of it', async () => {
  const { code, stdout, stderr } = await moesim(small)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatchInlineSnapshot(`
    "router changed from that of nemotron-3-nano-30b-a3b: 16 experts, top 2, sigmoid
    gaussian tokens, skew 0.5: 256 tokens a step, 1 layer
    sign rule, rate 0.01: 40 steps, seed 0

         step  MaxVio     CV   Gini  entropy  dead  bias spread
            0   1.938  0.776  0.417   0.8950   0.0        0.000
            1   1.938  0.772  0.416   0.8934   0.0        0.020
            2   1.313  0.506  0.276   0.9535   0.0        0.040
            5   0.938  0.422  0.232   0.9658   0.0        0.100
           10   0.531  0.214  0.111   0.9918   0.0        0.200
           20   0.500  0.218  0.121   0.9915   0.0        0.320
           39   0.250  0.164  0.094   0.9951   0.0        0.350
    by chance   0.311  0.163  0.090   0.9950   0.0

    Load of each expert, first step
      0 ▁▁▂▂▂▃▃▄▄▄▄▆▆███

    Load of each expert, the last 20 steps
      0 ▄▄▅▅▅▅▄▄▅▅▄▅▄▄▅▄
    · none  ▁ < 0.25  ▂ < 0.5  ▃ < 0.75  ▄ < 1  ▅ < 1.25  ▆ < 1.5  ▇ < 2  █ ≥ 2 × the mean load

    The last 20 steps: MaxVio 0.395, 0.311 by chance; of their summed load 0.081, 0.068 by chance.
    In balance: from step 4 on, mean MaxVio over 20 steps is below twice what chance makes of balanced routing (0.621).
    "
  `)
})

test('its figures are those of the library', async () => {
  const { stdout } = await moesim(`${small} --json`)
  const json = JSON.parse(stdout)
  const reports = reference(40, { tokensPerStep: 256, balance: biasBalance({ rate: 0.01 }) })
  const last = reports.slice(-20)
  expect(json.rows.map(({ step }: { step: number }) => step)).toEqual([0, 1, 2, 5, 10, 20, 39])
  for (const row of json.rows) {
    const { maxViolation, expectedMaxViolation, balance, biasSpread } = reports[row.step]
    expect(row).toEqual({
      step: row.step,
      maxViolation,
      expectedMaxViolation,
      balance,
      biasSpread: biasSpread[0],
      dropped: 0,
      unroutedTokens: 0,
    })
  }
  expect(json.before).toEqual(Array.from(reports[0].load))
  expect(json.after).toEqual(
    json.after.map((_: number, e: number) => last.reduce((sum, { load }) => sum + load[e], 0)),
  )
  expect(json.settled).toBeCloseTo(mean(last.map((report) => report.maxViolation)), 12)
  expect(json.global).toBe(
    globalMaxViolation(
      last.map(({ load }) => load),
      16,
    ),
  )
  expect(json.chance).toEqual(reports[0].chance)
  const windows = reports
    .slice(0, 21)
    .map((_, i) => mean(reports.slice(i, i + 20).map((r) => r.maxViolation)))
  expect(json.balancedAt).toBe(
    1 + windows.findLastIndex((violation) => violation >= 2 * json.chance.maxViolation),
  )
  expect(json.balancedAt).toBeGreaterThan(0)
  expect(json).toMatchObject({ steps: 40, tokens: 256, layers: [0], numExperts: 16, topK: 2, window: 20 })
})

test('a balance that comes too late to be seen over a whole window does not count', async () => {
  const { stdout } = await moesim(`${small} --steps 21`)
  expect(stdout).toMatch(/^ +20 +0\.\d+ .*$/m) // the last step, on its own, is below twice 0.311
  expect(stdout).toMatch(
    /^Not in balance: at the end, mean MaxVio over 20 steps is not below .* \(0\.621\)\.$/m,
  )
})

test.each([
  ['--rule none', { balance: noBalance }, 'no balancing: '],
  ['--center', { balance: biasBalance({ rate: 0.02, center: true }) }, 'sign rule, rate 0.02, centred: '],
  ['--update-every 3', { updateEvery: 3 }, 'sign rule, rate 0.02 every 3 steps: '],
  [
    '--rule proportional',
    { balance: biasBalance({ rate: 0.02, rule: 'proportional', unit: 'mean' }) },
    'proportional rule in units of mean, rate 0.02: ',
  ],
  [
    '--rule proportional --unit fraction',
    { balance: biasBalance({ rate: 0.02, rule: 'proportional', unit: 'fraction' }) },
    'proportional rule in units of fraction, rate 0.02: ',
  ],
  ['--skew -0.25', { workload: gaussian({ numExperts: 16, skew: -0.25 }) }, 'gaussian tokens, skew -0.25: '],
  [
    '--workload domains --sequence-length 8 --preference 2',
    { workload: domains({ numExperts: 16, sequenceLength: 8, preference: 2 }) },
    'sequences of 8 tokens, each of one of 15 domains, preference 2: 128 tokens a step',
  ],
  ['--score softmax', { router: { ...router, scoreFunction: 'softmax' } }, '16 experts, top 2, softmax'],
  ['--layers 2', { layers: 2 }, '128 tokens a step, 2 layers'],
  ['--seed run-7', { seed: 'run-7' }, '5 steps, seed run-7'],
  ['--preset tiny', {}, 'router changed from that of tiny: 16 experts'],
])('%s is what the library does of that name', async (words, own, title) => {
  const folder = newFolder()
  const out = join(folder, 'run.jsonl')
  const rate = words.includes('none') ? '' : '--rate 0.02'
  const line = `simulate --experts 16 --top-k 2 --tokens 128 --steps 5 ${rate} ${words} --out ${out}`
  const { code, stdout } = await moesim(line)
  expect(code).toBe(0)
  expect(stdout).toContain(title)
  const lines = reference(5, own).map((report) => `${JSON.stringify(reportToJson(report))}\n`)
  const bare = reports(out).map(({ setup: _, ...line }) => `${JSON.stringify(line)}\n`)
  expect(bare.join('')).toBe(lines.join(''))
})

test.each([
  ['--preset deepseek-v3', 'router of deepseek-v3: 256 experts, top 8, 8 groups, best 4, sigmoid', 8, 4],
  ['--preset deepseek-v3 --groups 16', '256 experts, top 8, 16 groups, best 16, sigmoid', 16, 16],
  ['--preset deepseek-v3 --top-groups 2', '256 experts, top 8, 8 groups, best 2, sigmoid', 8, 2],
  ['--groups 4 --top-groups 1', '128 experts, top 6, 4 groups, best 1, sigmoid', 4, 1],
])('simulate %s tells the groups, and keeps to them', async (words, title, numGroups, topGroups) => {
  const short = `simulate ${words} --tokens 64 --steps 1`
  expect((await moesim(short)).stdout).toContain(title)
  const { setup } = JSON.parse((await moesim(`${short} --json`)).stdout)
  expect(setup.router).toMatchObject({ numGroups, topGroups })
})

test('--json and the first line of --out say what made them', async () => {
  const out = join(newFolder(), 'run.jsonl')
  const words = '--steps 2 --tokens 64 --layers 2 --rule proportional --rate 0.1 --seed a --capacity-factor 2'
  const { stdout } = await moesim(`simulate ${words} --preset tiny --workload domains --json --out ${out}`)
  const { setup } = JSON.parse(stdout)
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  expect(setup).toEqual({
    moesim: version,
    model: 'tiny',
    router: resolveRouter(routerOf(presets.tiny)),
    workload: { kind: 'domains', sequenceLength: 64, preference: 1 },
    balance: { rule: 'proportional', rate: 0.1, unit: 'mean', center: false, updateEvery: 1 },
    tokensPerStep: 64,
    layers: [0, 1],
    steps: 2,
    seed: 'a',
    capacity: { factor: 2, drop: 'probs', capacity: 6 },
  })
  const [first, second] = reports(out)
  expect(first.setup).toEqual(setup)
  expect(second).not.toHaveProperty('setup')
  const file = dataFile('trace.safetensors')
  const recorded = await moesim(`simulate --trace ${file} --tokens 64 --steps 1 --layers 1 --json`)
  const sha256 = createHash('sha256').update(readFileSync(file)).digest('hex')
  expect(JSON.parse(recorded.stdout).setup).toMatchObject({
    workload: { kind: 'trace', file: 'trace.safetensors', sha256 },
    layers: [1],
  })
})

describe('--preset with a config.json', () => {
  const config = dataFile('config.json') // of the preset tiny
  const line = ['simulate', '--tokens', '64', '--steps', '3', '--preset']
  const untitled = (stdout: string): string => stdout.slice(stdout.indexOf(':'))

  test('takes the router of that model, from a file or from standard input', async () => {
    const preset = await moesim([...line, 'tiny'])
    const file = await moesim([...line, config])
    const stdin = async (): Promise<Uint8Array> => readFileSync(config)
    const piped = await moesim([...line, '-'], { stdin })
    expect(file.stdout).toMatch(`router of ${config}: 128 experts, top 6, sigmoid\n`)
    expect(piped.stdout).toMatch(/^router of standard input: 128 experts, top 6, sigmoid\n/)
    for (const { code, stdout } of [file, piped]) {
      expect(code).toBe(0)
      expect(untitled(stdout)).toBe(untitled(preset.stdout))
    }
  })

  test('of an unknown type reads it as another where asked', async () => {
    const path = join(newFolder(), 'new.json')
    writeFileSync(path, readFileSync(config, 'utf8').replace('"nemotron_h"', '"new"'))
    const refused = await moesim([...line, path])
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain(`${path}: fromHuggingFaceConfig: model_type must be a known one`)
    expect(refused.stderr).toContain('use --assume.')
    const { code, stdout } = await moesim([...line, path, '--assume', 'nemotron_h'])
    expect(code).toBe(0)
    expect(stdout).toMatch(`router of ${path}, read as nemotron_h: 128 experts, top 6, sigmoid\n`)
  })

  test.each(['none.json', 'Qwen/Qwen3-30B-A3B', 'https://example.org/config.json', 'nano-3'])(
    'that is not there is refused as count refuses it: %s',
    async (name) => {
      const counted = await moesim(['count', name])
      for (const more of [[], ['--out', join(newFolder(), 'run.jsonl')]])
        expect(await moesim([...line, name, ...more])).toEqual(counted)
    },
  )
})

test('the same seed gives the same bytes, another seed others', async () => {
  const [a, b, c] = await Promise.all([
    moesim(small),
    moesim(`${small} --seed 0`),
    moesim(`${small} --seed 1`),
  ])
  expect(b).toEqual(a)
  expect(c.stdout).not.toBe(a.stdout)
})

test('recorded tokens meet their own router, with the bias back at zero', async () => {
  const words = `simulate --trace ${dataFile('trace.safetensors')} --steps 25 --rate 0.02 --tokens 960 --layers 2`
  const { code, stdout } = await moesim(words)
  expect(code).toBe(0)
  expect(stdout).toMatch(
    /^the recorded router: 128 experts, top 6, sigmoid\ntokens of trace.safetensors: 960 tokens a/,
  )
  expect(stdout).toContain('layer 1\n')
  expect(stdout).toContain('layer 4\n')
  expect(stdout).not.toContain('layer 6\n')
  const whole = await moesim(`simulate --trace ${dataFile('trace.safetensors')} --steps 1 --json`)
  const { rows, tokens, before } = JSON.parse(whole.stdout)
  expect(tokens).toBe(3840)
  expect(before.reduce((sum: number, count: number) => sum + count)).toBe(3 * 3840 * 6)
  expect(rows[0].biasSpread).toBe(0)
})

test('one step and several layers are told as such', async () => {
  const { stdout } = await moesim('simulate --experts 8 --top-k 1 --tokens 64 --steps 1 --layers 6')
  expect(stdout).toContain('64 tokens a step, 6 layers')
  expect(stdout).toContain('sign rule, rate 0.001: 1 step, seed 0')
  expect(stdout).toContain('Means over layers.\n     step  MaxVio')
  expect(stdout).toContain('Load of each expert, the last step\nlayer 0\n')
  expect(stdout).toContain('layer 3\n')
  expect(stdout).not.toContain('layer 4\n')
  expect(stdout).toContain('and 2 layers more\n')
  expect(stdout).toMatch(/The last step: MaxVio \d/)
  expect(stdout).toMatch(/Not in balance: at the end, MaxVio is not below twice/)
})

test('a progress bar runs on stderr of a terminal and is gone at the end', async () => {
  let now = 0
  const { stdout, stderr } = await moesim(small, {
    stderrIsTTY: true,
    columns: 200,
    now: () => {
      now += 250
      return now
    },
  })
  expect(stderr).toMatch(/━{20} {2}40\/40 {2}2\.0 steps\/s {2}0 s left {2}MaxVio \d\.\d\d/)
  expect(stderr.endsWith('\r\x1b[K')).toBe(true)
  expect(stdout).toBe((await moesim(small)).stdout)
})

test.each<[words: string, message: string, code?: number]>([
  ['--tokens 0', '--tokens must be a whole number from 1 to 1048576, got "0". It is the tokens of one step.'],
  ['--tokens abc', '--tokens must be a whole number from 1 to 1048576, got "abc".'],
  ['--steps 1.5', '--steps must be a whole number from 1 to 1000000000, got "1.5".'],
  ['--layers 2000', '--layers must be a whole number from 1 to 1024, got "2000".'],
  ['--top-k 129', '--top-k must be a whole number from 1 to 128, got "129".'],
  ['--rate fast', '--rate must be a finite number, got "fast". Use 0.001'],
  ['--rate=', '--rate must be a finite number, got "". Use 0.001'],
  ['--skew Infinity', '--skew must be a finite number, got "Infinity".'],
  ['--rule signs', '--rule must be one of sign, proportional, none, got "signs".'],
  ['--score relu', '--score must be one of sigmoid, softmax, sqrtsoftplus, got "relu".'],
  ['--workload domain', '--workload must be one of gaussian, domains, got "domain".'],
  ['--unit mean', 'simulate: --rule proportional is what has a unit, got "--unit".'],
  ['--overwrite', 'simulate: --out is what names a file to replace, got "--overwrite".'],
  ['--rule none --center', 'simulate: --rule none moves no bias, got "--center".'],
  ['--sequence-length 8', 'simulate: --workload domains is what has sequences, got "--sequence-length".'],
  ['--workload domains --skew 1', 'simulate: --workload gaussian is what has a skew, got "--skew".'],
  ['--experts 12 --groups 8', '--groups must divide the number of experts, which is 12, got 8.'],
  ['--top-groups 2', '--top-groups must be a whole number from 1 to 1, got "2".'],
  ['--trace t --groups 2', 'simulate: --trace brings its own router and tokens, got "--groups".'],
  ['--trace t --top-k 2', 'simulate: --trace brings its own router and tokens, got "--top-k".'],
  ['--trace no-such-file', 'file: it must exist, got "', 1],
  [
    '--preset - --out run.jsonl',
    'simulate: --preset \'-\' must not stand with --out, got "run.jsonl". A run that goes on reads it again',
  ],
  ['--trace t --assume mixtral', 'simulate: --trace brings its own router and tokens, got "--assume".'],
  ['--preset nano-3', 'preset: it must be a known one, got "nano-3".', 1],
  [
    '--tokens 1000000 --experts 1000',
    'simulate: tokens × layers × experts must be at most 2^28, got 1000000000.',
    1,
  ],
  [
    '--out no/such/folder/run.jsonl',
    'simulate: --out must be in a folder that exists, got "no/such/folder". Make it, or check the spelling.',
    1,
  ],
])('simulate %s is refused before anything is simulated', async (words, message, refused = 2) => {
  const { code, stdout, stderr } = await moesim(`simulate ${words}`)
  expect({ code, stdout }).toEqual({ code: refused, stdout: '' })
  expect(stderr).toContain(`moesim: ${message}`)
})

test('the trace that a simulation reads is not the file it may write', async () => {
  const trace = dataFile('trace.safetensors')
  const { code, stderr } = await moesim(['simulate', '--trace', trace, '--out', relative('', trace)])
  expect(code).toBe(2)
  expect(stderr).toContain('simulate: --out must not be the file that --trace reads, got "')
})
