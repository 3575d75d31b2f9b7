import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  expectedStraggler,
  gaussianStraggler,
  hardware,
  linearPlacement,
  loadOf,
  memoryBoundTokensPerSecond,
  memoryOf,
  presets,
  readTrace,
  stragglerFactor,
} from 'moesim'
import { describe, expect, test } from 'vitest'
import { dataFile, moesim, newFolder } from './terminal.js'

/** The figures of a run, read back from its JSON. */
async function json(words: string) {
  const { code, stdout, stderr } = await moesim(`cost ${words} --json`)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return JSON.parse(stdout)
}

/** The rows of the table under a line that starts so. */
function rowsUnder(text: string, line: string): string[][] {
  const lines = text.split('\n')
  const start = lines.findIndex((each) => each.startsWith(line))
  const end = lines.findIndex((each, i) => i > start && each === '')
  return lines.slice(start + 2, end < 0 ? undefined : end).map((row) => row.trim().split(/ {2,}/))
}

const defaultPreset = 'nemotron-3-nano-30b-a3b'

describe('moesim cost', () => {
  test('shows the memory of Nemotron 3 Nano on an H200, what batches read, and what devices wait for', async () => {
    const { code, stdout, stderr } = await moesim('cost')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(
      /^Nemotron 3 Nano 30B-A3B on H200 SXM: weights fp8, keys and values fp8, a context of 16,384 tokens\n\nmemory\n/,
    )
    for (const line of [
      /^weights +31\.6 GB$/m,
      /^keys and values of a token +3\.07 kB$/m,
      /^sequences that fit on one device +958$/m,
      /^tokens of a step that make experts compute-bound +4,398$/m,
    ])
      expect(stdout).toMatch(line)
    const one = rowsUnder(stdout, 'One device, one step')
    expect(one[0]).toEqual(['1', '6.0', '3.23 GB', '148 MB', '1,422'])
    expect(one.at(-1)).toEqual(['958', '128.0', '31.2 GB', '142 GB', '26,506'])
    const eight = rowsUnder(stdout, 'Experts over devices')[3]
    expect(eight.slice(0, 5)).toEqual(['8', '4.47', '31.5 kB', '1.072', '1.072'])
    expect(stdout).toContain('Routing: fair.\n')
    expect(rowsUnder(stdout, 'No other choice').length).toBeGreaterThan(3)
  })

  test('--json gives the figures of the functions', async () => {
    const figures = await json(
      'qwen3-30b-a3b --hardware h100 --weights bf16 --cache bf16 --context 1000 --batch 8',
    )
    const memory = memoryOf(presets['qwen3-30b-a3b'])
    expect(figures).toMatchObject({
      preset: 'qwen3-30b-a3b',
      contextTokens: 1000,
      batchPerRank: 8,
      memory,
      activations: 'bf16',
    })
    for (const { batch, tokensPerSecondAtMost } of figures.decode) {
      expect(tokensPerSecondAtMost).toBe(
        memoryBoundTokensPerSecond(memory, hardware.h100, { batch, contextTokens: 1000 }),
      )
    }
    expect(figures.ranks.map(({ ranks }: { ranks: number }) => ranks)).toEqual([1, 2, 4, 8, 16, 32, 64, 128])
  })

  test('weights of four bits are multiplied in bf16, where every device can', async () => {
    expect(await json('gpt-oss-20b --weights mxfp4 --hardware h200')).toMatchObject({ activations: 'bf16' })
    expect(await json('gpt-oss-20b --weights mxfp8 --hardware h200')).toMatchObject({ activations: 'mxfp8' })
  })

  test('a model that one device does not hold is told so, and the devices that would', async () => {
    const { stdout } = await moesim('cost deepseek-v3 --hardware h800')
    expect(stdout).toContain('\nOne device does not hold the weights and a sequence.\n')
    const rows = rowsUnder(stdout, 'Experts over devices')
    expect(rows[0].at(-1)).toBe('too large')
    expect(rows.at(-1)?.at(-1)).not.toBe('too large')
    expect((await json('deepseek-v3 --hardware h800')).decode).toEqual([])
  })

  test('a router that keeps 4 of 8 groups of experts sends a token to no more than 4 of 8 devices', async () => {
    const { stdout } = await moesim('cost deepseek-v3')
    expect(stdout).toContain(' Routing: fair. Tokens keep to 4 of 8 groups of experts.\n')
    const needs = rowsUnder(stdout, 'Experts over devices').map((row) => row[1])
    expect(needs.slice(0, 7)).toEqual(['1.00', '1.97', '3.13', '3.98', '5.65', '6.79', '7.46'])
    expect((await moesim('cost')).stdout).not.toContain('Tokens keep to')
  })

  test('so it is of measured loads, and of what chance makes of as many tokens', async () => {
    const file = join(newFolder(), 'loads.csv')
    const rows = Array.from({ length: 256 }, (_, e) => `3,${e},100`)
    writeFileSync(file, `layer,expert,load\n${rows.join('\n')}\n`)
    const [fair, measured] = [await json('deepseek-v3'), await json(`deepseek-v3 --loads ${file}`)]
    const sizes = { numExperts: 256, topK: 8, numGroups: 8, topGroups: 4 }
    for (const [i, { ranks, devicesPerToken, stragglerFactorByChance }] of measured.ranks.entries()) {
      expect(devicesPerToken).toBeCloseTo(fair.ranks[i].devicesPerToken, 10)
      const byChance = expectedStraggler({ ...sizes, tokens: 3200, ranks })
      expect(stragglerFactorByChance).toBeCloseTo(byChance, 12)
    }
    const spread = Array.from({ length: 256 }, (_, e) => `3,${e},${e % 32 === 0 ? 1000 : 0}`)
    writeFileSync(file, `layer,expert,load\n${spread.join('\n')}\n`)
    const { code, stderr } = await moesim(['cost', 'deepseek-v3', '--loads', file])
    expect(code).toBe(1)
    expect(stderr).toContain(
      `${file}: cost: tokens of layer 3 must need no more than 4 of 8 groups each, got 8. Name the model`,
    )
  })

  test.each(Object.keys(presets))('%s has its costs', async (preset) => {
    const { ranks, computeBoundTokens } = await json(`${preset} --hardware gb200`)
    expect(ranks.length).toBeGreaterThan(0)
    expect(computeBoundTokens).toBeGreaterThan(0)
    for (const { tokensPerSecondPerRank, stragglerFactor } of ranks) {
      expect(tokensPerSecondPerRank).toBeGreaterThan(0)
      expect(stragglerFactor).toBeGreaterThanOrEqual(1)
    }
  })

  test('exchanges take the latency of the hardware, or another', async () => {
    const fastest = ({ ranks }: { ranks: { ranks: number; tokensPerSecondPerRank: number }[] }): number =>
      ranks.reduce((a, b) => (b.tokensPerSecondPerRank > a.tokensPerSecondPerRank ? b : a)).ranks
    expect((await moesim('cost')).stdout).toContain('An exchange takes 40 µs and the time of its bytes.')
    const figures = await json('')
    expect([figures.hardware.latencySeconds, fastest(figures)]).toEqual([40e-6, 16])
    const bytesAlone = await json('--latency-us 0')
    expect([bytesAlone.hardware.latencySeconds, fastest(bytesAlone)]).toEqual([0, 128])
  })

  test('a context that fits nowhere is told so', async () => {
    const { code, stdout } = await moesim('cost --context 1000000000 --batch 1000000')
    expect(code).toBe(0)
    expect(stdout).toContain('\nOne device does not hold the weights and a sequence.\n')
    expect(stdout).toMatch(/\nNo number of devices holds the weights and a sequence on each\.\n$/)
  })

  test('measured loads stand in for fair routing, experts side by side', async () => {
    const file = dataFile('trace.safetensors')
    const figures = await json(`tiny --loads ${file}`)
    const trace = readTrace(readFileSync(file))
    const factors = trace.layers.map(({ experts, weights }) => {
      const load = loadOf({ ...trace.router, tokens: trace.tokens, experts, weights, dropped: 0 })
      return stragglerFactor(load, linearPlacement(load, { replicas: 128, ranks: 8 }), 8)
    })
    const mean = factors.reduce((sum, factor) => sum + factor, 0) / factors.length
    expect(figures.ranks[3].stragglerFactor).toBeCloseTo(mean, 12)
    const fair = expectedStraggler({ tokens: 3840, numExperts: 128, topK: 6, ranks: 8 })
    expect(figures.ranks[3].stragglerFactorByChance).toBeCloseTo(fair, 12)
    expect(mean).toBeGreaterThan(fair)
    expect((await moesim(['cost', 'tiny', '--loads', file])).stdout).toContain(
      ' Loads: 3,840 recorded tokens, 3 layers.\n',
    )
  })

  test('chance is told of any number of tokens, and left out where loads are shares', async () => {
    const file = join(newFolder(), 'loads.csv')
    const byChance = async (...counts: number[]): Promise<(number | undefined)[]> => {
      const rows = counts.flatMap((count, layer) =>
        Array.from({ length: 128 }, (_, e) => `${layer},${e},${count}`),
      )
      writeFileSync(file, `layer,expert,load\n${rows.join('\n')}\n`)
      const { ranks } = await json(`tiny --loads ${file}`)
      return ranks.map((row: { stragglerFactorByChance?: number }) => row.stragglerFactorByChance)
    }
    const one = await byChance(3000)
    const fair = expectedStraggler({ tokens: 64000, numExperts: 128, topK: 6, ranks: 8 })
    expect(one[3]).toBeCloseTo(fair, 12)
    const two = await byChance(3000, 3000, 3e9)
    // 1e6 times as many tokens lie 1000 times as close.
    for (const [i, factor] of two.entries())
      expect((factor! - 1) / (one[i]! - 1 || 1)).toBeCloseTo(one[i] === 1 ? 0 : 2.001 / 3, 4)
    const huge = await byChance(1e200)
    expect(huge.length).toBe(8)
    for (const factor of huge) expect(factor).toBeCloseTo(1, 12)
    const { stdout } = await moesim(['cost', 'tiny', '--loads', file])
    expect(stdout).not.toContain('NaN')
    expect(await byChance(1 / 128)).toEqual(new Array(8).fill(undefined))
    expect(await byChance(6 / 128)).toEqual(new Array(8).fill(undefined))
  })

  test.each([
    [128, 6, 8],
    [256, 8, 256],
    [4096, 1, 4096],
    [128, 127, 2],
  ])(
    'where chance is taken as normal, both laws agree to half a hundredth: %d experts, %d a token, %d ranks',
    (numExperts, topK, ranks) => {
      const most = 1e5 / ((topK / ranks) * (1 - topK / numExperts))
      const routing = { tokens: Math.ceil(most), numExperts, topK, ranks }
      expect((gaussianStraggler(routing) - 1) / (expectedStraggler(routing) - 1)).toBeCloseTo(1, 2)
    },
  )

  test('where computation takes longest, measured loads slow the front down as well', async () => {
    const file = join(newFolder(), 'skewed.csv')
    const rows = Array.from({ length: 128 }, (_, e) => `${e},${e < 16 ? 9 : 1}`)
    writeFileSync(file, `expert,load\n${rows.join('\n')}\n`)
    const fastest = ({ front }: { front: { ranks: number; computeSeconds: number }[] }) => front.at(-1)!
    const fair = fastest(await json('qwen3-30b-a3b --context 1 --latency-us 0'))
    const skewed = await json(`qwen3-30b-a3b --context 1 --latency-us 0 --loads ${file}`)
    const { ranks, computeSeconds } = fastest(skewed)
    expect(ranks).toBe(fair.ranks)
    expect(computeSeconds).toBeGreaterThan(2 * fair.computeSeconds)
  })

  test('measured loads slow traffic down, too, by the busiest port', async () => {
    const file = dataFile('trace.safetensors')
    const [fair, real] = [await json('--latency-us 0'), await json(`--latency-us 0 --loads ${file}`)]
    for (const [i, { ranks, busiestPort, bytesPerToken, communicationSeconds }] of real.ranks.entries()) {
      const even = fair.ranks[i]
      expect(even.busiestPort).toBe(1)
      if (ranks === 1) continue
      expect(busiestPort).toBeGreaterThan(1)
      expect(bytesPerToken / even.bytesPerToken).toBeCloseTo(1, 2)
      // One node's ports are all alike; of more nodes the network's is the busiest.
      expect(communicationSeconds / even.communicationSeconds).toBeCloseTo(busiestPort, 2)
    }
    const { stdout } = await moesim(['cost', '--loads', file])
    expect(stdout).toContain('\nOne device, one step of fair routing; ')
    expect(rowsUnder(stdout, 'Experts over devices')[5]).toEqual([
      '32',
      '5.65',
      '44.2 kB',
      '1.182',
      '1.194',
      '1.076',
      '9.48 GB',
      '21,122',
    ])
  })

  test('as placed, experts stand beside those in order', async () => {
    const loads = dataFile('trace.safetensors')
    const placement = join(newFolder(), 'placed.json')
    const place = async (...words: string[]): Promise<void> =>
      writeFileSync(placement, (await moesim(['place', loads, '--json', ...words])).stdout)
    await place('--ranks', '32', '--replicas', '160')
    const { ranks, front } = await json(`--loads ${loads} --placement ${placement}`)
    const at = ranks.findIndex(({ placed }: { placed: boolean }) => placed)
    const [inOrder, asPlaced] = [ranks[at - 1], ranks[at]]
    expect([inOrder.ranks, asPlaced.ranks, ranks.length]).toEqual([32, 32, 9])
    const { layers } = JSON.parse(readFileSync(placement, 'utf8'))
    const mean = (values: number[]): number => values.reduce((sum, value) => sum + value) / values.length
    const factors = layers.map(
      (layer: { stragglerFactor: { placed: number } }) => layer.stragglerFactor.placed,
    )
    expect(asPlaced.stragglerFactor).toBeCloseTo(mean(factors), 12)
    expect(asPlaced.busiestPort).toBeLessThan(1.02)
    expect(asPlaced.tokensPerSecondPerRank).toBeGreaterThan(1.05 * inOrder.tokensPerSecondPerRank)
    expect(asPlaced.memoryBytesPerRank).toBeGreaterThan(inOrder.memoryBytesPerRank)
    expect(front.filter(({ placed }: { placed: boolean }) => placed).length).toBeGreaterThan(0)
    const { stdout } = await moesim(['cost', '--loads', loads, '--placement', placement])
    const rows = rowsUnder(stdout, 'Experts over devices')
    expect(rows.slice(5, 7).map((row) => row.slice(0, 2))).toEqual([
      ['32', 'in order'],
      ['32', 'as placed'],
    ])
    expect(rowsUnder(stdout, 'No other choice').map((row) => row[1])).toContain('as placed')

    const own = 'Of the loads it was placed by: on other tokens, expect more.\n'
    const copies = 'Copies of an expert are read, too: as placed can be slower than in order.\n'
    expect(stdout).toContain(copies + own)
    expect((await json(`--loads ${loads} --placement ${placement}`)).placement).toEqual({
      path: placement,
      byTheseLoads: true,
    })
    const others = join(newFolder(), 'others.csv')
    const rows3 = [1, 4, 6].flatMap((layer) => Array.from({ length: 128 }, (_, e) => `${layer},${e},1`))
    writeFileSync(others, `layer,expert,load\n${rows3.join('\n')}\n`)
    const elsewhere = await moesim(['cost', '--loads', others, '--placement', placement])
    expect(elsewhere.stdout).toContain(copies)
    expect(elsewhere.stdout).not.toContain(own)
    await place('--ranks', '32')
    const { stdout: alone } = await moesim(['cost', '--loads', loads, '--placement', placement])
    expect(alone).toContain(own)
    expect(alone).not.toContain(copies)

    // Over 12 devices only copies spread evenly; what chance makes of experts in order there is not known.
    await place('--ranks', '12', '--replicas', '132')
    const twelve = await json(`--loads ${loads} --placement ${placement}`)
    const [only] = twelve.ranks.filter(({ ranks }: { ranks: number }) => ranks === 12)
    expect(only.placed).toBe(true)
    expect(only).not.toHaveProperty('stragglerFactorByChance')
    expect((await moesim(['cost', '--loads', loads, '--placement', placement])).stdout).toMatch(
      /\n +12 {2}as placed /,
    )
  })

  test('a placement that does not fit is refused', async () => {
    const folder = newFolder()
    const loads = dataFile('trace.safetensors')
    const refused = async (placed: string | object, rule: string): Promise<void> => {
      const placement = join(folder, 'placed.json')
      writeFileSync(placement, typeof placed === 'string' ? placed : JSON.stringify(placed))
      const { code, stdout, stderr } = await moesim(['cost', '--loads', loads, '--placement', placement])
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
      expect(stderr).toContain(rule)
    }
    const experts = Array.from({ length: 128 }, (_, e) => e)
    const layers = [1, 4, 6].map((index) => ({ index, experts }))
    const placed = { numExperts: 128, ranks: 8, layers }
    const remedy = 'Place these loads: moesim place --json.'
    await refused(
      { ...placed, numExperts: 64 },
      `must be of 128 experts, as the loads are, got 64. ${remedy}`,
    )
    await refused(
      { ...placed, layers: layers.slice(1) },
      `must be of the layers of the loads, which are 1, 4, 6, got "4, 6". ${remedy}`,
    )
    await refused(
      { ...placed, ranks: 200 },
      'must be a whole number from 1 to 128, got 200. Each rank has a slot.',
    )
    await refused(
      { ...placed, ranks: 5 },
      'must be a multiple of its ranks = 5, got 128. Ranks hold equally many.',
    )
    await refused(
      { ...placed, layers: layers.map((layer) => ({ ...layer, experts: experts.map((e) => e >> 1) })) },
      'placementOf: every expert must have a slot',
    )
    const unlike = [{ index: 1, experts: [...experts, 0, 1, 2, 3, 4, 5, 6, 7] }, ...layers.slice(1)]
    await refused(
      { ...placed, layers: unlike },
      'must have 136 slots, as the first has, got 128. Place these',
    )
    const strange = layers.map((layer) => ({ ...layer, experts: experts.map((e) => (e === 3 ? 999 : e)) }))
    await refused(
      { ...placed, layers: [layers[0], strange[1], layers[2]] },
      'placed.json: layer 4: placementOf: the expert in slot 3 must be a whole number from 0 to 127, got 999.',
    )
    for (const other of [
      '',
      'null',
      '[]',
      '{"numExperts":2}',
      '{"numExperts":2,"layers":[null]}',
      '{"numExperts":2,"layers":[{"index":0}]}',
    ])
      await refused(other, 'must be a placement')
    const alone = await moesim(['cost', '--placement', join(folder, 'placed.json')])
    expect(alone.code).toBe(2)
    expect(alone.stderr).toContain('--placement must stand with --loads')
  })

  test('the path of a config stands for its model, and so does one on standard input', async () => {
    const path = dataFile('config.json')
    const figures = await json(path)
    expect(figures).toMatchObject({ model: path, name: path })
    expect(figures).not.toHaveProperty('preset')
    const { memory, ranks } = await json('tiny')
    expect(figures).toMatchObject({ memory, ranks })
    const given = await moesim('cost - --json', { stdin: async () => readFileSync(path) })
    expect(JSON.parse(given.stdout)).toMatchObject({ model: '-', name: 'standard input', memory, ranks })
  })

  test('an unknown model_type is read as the one that --assume names', async () => {
    const path = join(newFolder(), 'config.json')
    writeFileSync(path, readFileSync(dataFile('config.json'), 'utf8').replace('nemotron_h', 'newkind'))
    const { code, stderr } = await moesim(['cost', path])
    expect(code).toBe(1)
    expect(stderr).toMatch(/model_type .*newkind.*--assume/)
    const { memory, ranks } = await json('tiny')
    expect(await json(`${path} --assume nemotron_h`)).toMatchObject({ memory, ranks })
  })

  test('a model without routed experts is refused', async () => {
    const path = join(newFolder(), 'config.json')
    const config = JSON.parse(readFileSync(dataFile('config.json'), 'utf8'))
    const dense = config.layers_block_type.map((kind: string) => (kind === 'moe' ? 'mlp' : kind))
    writeFileSync(path, JSON.stringify({ ...config, layers_block_type: dense }))
    const { code, stdout, stderr } = await moesim(['cost', path])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain('cost: the model must have routed experts, got')
  })

  test('loads of other experts are refused', async () => {
    const file = join(newFolder(), 'loads.csv')
    writeFileSync(file, 'layer,expert,load\n0,0,1\n0,1,2\n')
    const { code, stderr } = await moesim(['cost', '--loads', file])
    expect(code).toBe(1)
    expect(stderr).toContain(
      `${file}: cost: the loads must be those of 128 experts, as the model has, got 2. Name the model`,
    )
  })

  test('loads of more layers than the model has, of tokens that choose more, or of too busy an expert are refused', async () => {
    const folder = newFolder()
    const refused = async (model: string, file: string, rule: string, ...words: string[]): Promise<void> => {
      const { code, stdout, stderr } = await moesim(['cost', model, '--loads', file, ...words])
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
      expect(stderr).toContain(rule)
    }
    const csv = (name: string, layers: number[], loadOfExpert: (e: number) => number): string => {
      const rows = layers.flatMap((layer) =>
        Array.from({ length: 128 }, (_, e) => `${layer},${e},${loadOfExpert(e)}`),
      )
      const file = join(folder, name)
      writeFileSync(file, `layer,expert,load\n${rows.join('\n')}\n`)
      return file
    }
    const many = csv(
      'many.csv',
      Array.from({ length: 60 }, (_, i) => i),
      () => 1,
    )
    await refused(
      defaultPreset,
      many,
      `${many}: cost: the loads must be those of at most 23 layers, as many as the model has with experts, got 60.`,
    )
    for (const file of [dataFile('trace.safetensors'), dataFile('training-load.safetensors')])
      await refused(
        'qwen3-30b-a3b',
        file,
        `${file}: cost: tokens must have chosen 8 experts, as the model has them choose, got 6.`,
      )
    const busy = csv('busy.csv', [5, 7], (e) => (e === 9 ? 1000 : 1))
    await refused(
      defaultPreset,
      busy,
      `${busy}: cost: expert 9 of layer 5 must have no more than one in 6 choices, got 0.88`,
    )
    const huge = csv('huge.csv', [7], () => 1e300)
    await refused(defaultPreset, huge, `${huge}: cost: the values of layer 7 must be at least 0`)
    const last = '--last must stand with a report or recorded training, which'
    await refused(defaultPreset, busy, `${last} ${busy} is not, got 3. Leave it out`, '--last', '3')
    await refused(defaultPreset, dataFile('trace.safetensors'), last, '--last', '3')
    const placed = join(folder, 'placed.json')
    writeFileSync(placed, (await moesim(['place', dataFile('trace.safetensors'), '--json'])).stdout)
    await refused(
      defaultPreset,
      placed,
      `cost: ${placed} must hold loads, got "a placement". Give it to --placement of moesim cost, beside the --loads.`,
    )
  })

  test.each<[words: string, rule: string, code?: number]>([
    ['--hardware h300', '--hardware must be one of h100, h200, h800, b200, gb200, got "h300"'],
    ['--weights fp9', '--weights must be one of fp32, bf16'],
    ['--context 0', '--context must be a whole number from 1'],
    ['--batch x', '--batch must be a whole number from 1 to 1000000, got "x"'],
    ['--batch 1e9', '--batch must be a whole number from 1 to 1000000, got "1e9"'],
    ['--latency-us -1', '--latency-us must be at least 0, got -1', 2],
    ['--last 3', '--last must stand with --loads, got 3. Leave it out', 2],
    ['--last x', '--last must be a whole number from 1'],
    ['--latency-us soon', '--latency-us must be a finite number, got "soon"'],
    ['nanotron', 'preset: it must be a known one', 1],
  ])('%s is refused', async (words, rule, refused = 2) => {
    const { code, stdout, stderr } = await moesim(`cost ${words}`)
    expect({ code, stdout }).toEqual({ code: refused, stdout: '' })
    expect(stderr).toContain(rule)
  })
})
