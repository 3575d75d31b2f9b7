import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readSafetensors, type Tensor, writeSafetensors } from 'moesim'
import { beforeAll, expect, test } from 'vitest'
import { fileOf, floats, ints } from '../workload/files.js'
import { dataFile, moesim, newFolder } from './terminal.js'

const folder = newFolder()
const trace = dataFile('trace.safetensors')
const training = dataFile('training-load.safetensors')

/** A copy of a recorded file with some tensors changed, or taken out. */
function changed(from: string, name: string, change: (tensors: Map<string, Tensor>) => void): string {
  const { tensors, metadata } = readSafetensors(new Uint8Array(readFileSync(from)))
  const copy = new Map([...tensors].map(([key, tensor]) => [key, { ...tensor, bytes: tensor.bytes.slice() }]))
  change(copy)
  const path = join(folder, name)
  writeFileSync(path, writeSafetensors(copy, metadata))
  return path
}
const words = (tensors: Map<string, Tensor>, name: string): DataView => {
  const { buffer, byteOffset, byteLength } = tensors.get(name)!.bytes
  return new DataView(buffer, byteOffset, byteLength)
}

// Whoever recorded the trace published these figures with it, computed by other code.
const published = {
  'tokens whose experts differ from the recorded': ['0', '0', '0'],
  MaxVio: ['0.49', '1.08', '0.89'],
  'experts unused': ['0', '0', '0'],
  'bias, least': ['-0.061', '0.156', '0.147'],
  'bias, greatest': ['0.368', '0.476', '0.658'],
  'same first expert as the token before': ['2.1 %', '5.3 %', '7.5 %'],
  'same heaviest expert': ['4.0 %', '7.3 %', '8.2 %'],
  'share of experts kept from the token before': ['7.9 %', '18.2 %', '15.3 %'],
  'mutual information of expert and domain, bits': ['0.315', '1.092', '0.867'],
  'experts most often chosen together': ['22, 75', '64, 74', '45, 123'],
  'share of tokens': ['4.1 %', '5.7 %', '4.8 %'],
  'surest companion, given': ['75 of 22', '55 of 16', '100 of 49'],
  'share of the given': ['0.87', '0.64', '0.75'],
  'smallest gap between chosen and not chosen': ['9.40e-6', '3.64e-6', '6.47e-6'],
  'largest logit': ['4.77', '5.69', '5.87'],
}

/** Distinct experts / top expert, percent of tokens / MaxVio, in layers 1, 4 and 6. */
const publishedByDomain: Record<string, [number, number, number, number][]> = {
  novel: [
    [126, 90, 9, 0.87],
    [117, 91, 28, 4.93],
    [116, 65, 25, 4.33],
  ],
  speech: [
    [128, 95, 10, 1.13],
    [118, 1, 15, 2.27],
    [127, 60, 16, 2.33],
  ],
  reference: [
    [126, 67, 11, 1.4],
    [117, 92, 20, 3.33],
    [120, 17, 16, 2.47],
  ],
  python: [
    [126, 97, 26, 4.6],
    [106, 127, 72, 14.4],
    [91, 45, 62, 12.33],
  ],
  javascript: [
    [127, 83, 12, 1.6],
    [118, 23, 44, 8.33],
    [122, 123, 21, 3.53],
  ],
  c: [
    [127, 47, 16, 2.4],
    [114, 71, 34, 6.33],
    [121, 94, 46, 8.73],
  ],
  json: [
    [126, 36, 16, 2.33],
    [104, 83, 42, 7.93],
    [119, 92, 29, 5.13],
  ],
  german: [
    [126, 12, 12, 1.53],
    [117, 49, 49, 9.4],
    [123, 106, 47, 9.0],
  ],
  french: [
    [126, 62, 10, 1.07],
    [118, 104, 45, 8.6],
    [123, 95, 26, 4.6],
  ],
  spanish: [
    [127, 11, 10, 1.13],
    [105, 10, 55, 10.8],
    [126, 116, 28, 4.93],
  ],
  math: [
    [126, 1, 18, 2.8],
    [101, 38, 35, 6.53],
    [113, 1, 32, 5.73],
  ],
  csv: [
    [90, 22, 43, 8.27],
    [70, 56, 53, 10.33],
    [77, 77, 41, 7.73],
  ],
}

let replayed: Awaited<ReturnType<typeof moesim>>
beforeAll(async () => {
  replayed = await moesim(['replay', trace])
}, 60_000)

test('a trace is routed as it was recorded', () => {
  expect(replayed).toMatchObject({ code: 0, stderr: '' })
  expect(replayed.stdout).toMatch(/^3,840 tokens of 12 domains; 3 MoE layers: 128 experts, top 6\n/)
  expect(replayed.stdout).toMatch(
    /\nThe routing is the recorded one: every set of experts, every weight within 1e-5.\n$/,
  )
})

test.each(Object.entries(published))('%s of the trace is as published', (name, figures) => {
  const rows = replayed.stdout.split('\n').map((line) => line.split(/ {2,}/))
  expect(rows.filter(([title]) => title === name)).toEqual([[name, ...figures]])
})

test.each(Object.entries(publishedByDomain))(
  'the experts that %s prefers are as published',
  (name, layers) => {
    const row = replayed.stdout.split('\n').filter((line) => line.startsWith(`${name} `))
    expect(row).toHaveLength(1)
    const cells = [...row[0].matchAll(/(\d+) \/ #(\d+), ([\d.]+) % \/ ([\d.]+)/g)].map(([, ...cell]) =>
      cell.map(Number),
    )
    expect(cells.map(([distinct, top, , violation]) => [distinct, top, violation])).toEqual(
      layers.map(([distinct, top, , violation]) => [distinct, top, violation]),
    )
    cells.forEach(([, , share], layer) => {
      expect(Math.abs(share - layers[layer][2])).toBeLessThanOrEqual(0.5)
    })
    expect(row[0]).toMatch(/ 0\.71$/) // by chance, of 320 tokens
  },
)

test('the load of all experts of each layer is drawn', () => {
  for (const layer of [1, 4, 6]) {
    expect(replayed.stdout).toMatch(RegExp(`\nlayer ${layer}\n   0 [▁▂▃▄▅▆▇█]{64}\n  64 [▁▂▃▄▅▆▇█]{64}\n`))
  }
})

test('--json gives the figures of a trace', async () => {
  const { code, stdout } = await moesim(['replay', trace, '--json'])
  expect(code).toBe(0)
  const { tokens, layers, domainNames } = JSON.parse(stdout)
  expect(tokens).toBe(3840)
  expect(domainNames).toEqual(Object.keys(publishedByDomain))
  expect(layers.map(({ index }: { index: number }) => index)).toEqual([1, 4, 6])
  expect(layers[1].mutualInformation).toBeCloseTo(1.092, 3)
  expect(layers[0].load.reduce((sum: number, count: number) => sum + count)).toBe(3840 * 6)
  expect(layers[0]).not.toHaveProperty('routing')
})

test('one other expert, or one weight that is off, makes it a failed check', async () => {
  const other = changed(trace, 'other.safetensors', (tensors) => {
    const indices = words(tensors, 'layers.4.topk_indices')
    indices.setInt32(0, (indices.getInt32(0, true) + 1) % 128, true)
  })
  const off = changed(trace, 'off.safetensors', (tensors) => {
    const weights = words(tensors, 'layers.6.topk_weights')
    weights.setFloat32(0, weights.getFloat32(0, true) + 2e-5, true)
  })
  const near = changed(trace, 'near.safetensors', (tensors) => {
    const weights = words(tensors, 'layers.6.topk_weights')
    weights.setFloat32(0, weights.getFloat32(0, true) + 5e-6, true)
  })
  const [a, b, c] = [
    await moesim(['replay', other]),
    await moesim(['replay', off]),
    await moesim(['replay', near]),
  ]
  expect([a.code, b.code, c.code]).toEqual([1, 1, 0])
  expect(a.stdout).toMatch(/\ntokens whose experts differ from the recorded +0 +1 +0\n/)
  expect(a.stdout).toMatch(/The routing is NOT the recorded one in layer 4: see the first two rows.\n$/)
  expect(b.stdout).toMatch(/The routing is NOT the recorded one in layer 6: see the first two rows.\n$/)
})

test('a trace too short for companions has none', async () => {
  const config = {
    n_routed_experts: 4,
    num_experts_per_tok: 1,
    routed_scaling_factor: 1,
    norm_topk_prob: true,
    n_group: 1,
    topk_group: 1,
  }
  const path = join(folder, 'short.safetensors')
  const tensors = {
    token_ids: ints([2], [0, 1]),
    domain_ids: ints([2], [0, 0]),
    sequence_ids: ints([2], [0, 0]),
    positions: ints([2], [0, 1]),
    'layers.1.router_input': floats([2, 1], [1, 2]),
    'layers.1.router_weight': floats([4, 1], [1, 2, 3, 4]),
    'layers.1.e_score_correction_bias': floats([4]),
    'layers.1.topk_indices': ints([2, 1], [3, 3]),
    'layers.1.topk_weights': floats([2, 1], [1, 1]),
  }
  writeFileSync(path, fileOf(tensors, { config, domains: [{ name: 'prose' }] }))
  const { code, stdout } = await moesim(['replay', path])
  expect(code).toBe(0)
  expect(stdout).toMatch(/\nexperts most often chosen together +none\n/)
  expect(stdout).toMatch(/\nsurest companion, given +none\nshare of the given +0\.00\n/)
})

test('training loads explain the recorded biases, and MaxVio over the run is as published', async () => {
  const { code, stdout, stderr } = await moesim(['replay', training])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const [, pictures, figures] = stdout.split('\n\n')
  expect(stdout).toMatch(
    /^572 sampled steps from 0 to 3346; 3 MoE layers: 128 experts, top 6; 1,920 tokens a step; /,
  )
  expect(pictures.match(/^ +layer [146] +[▁▂▃▄▅▆▇█]{68}$/gm)).toHaveLength(3)
  expect(figures).toMatch(/^MaxVio of a batch +layer 1 +layer 4 +layer 6\n/)
  expect(
    figures
      .split('\n')
      .map((line) => line.split(/ {2,}/))
      .slice(1),
  ).toEqual([
    ['mean of the first 10 steps', '1.71', '3.69', '2.57'],
    ['worst step', '3.70', '15.72', '18.09'],
    ['which one', '28', '27', '20'],
    ['mean of the last 100 steps', '0.72', '1.47', '1.12'],
    ['by chance', expect.any(String), expect.any(String), expect.any(String)],
    ['of the last 100 batches summed', '0.081', '0.246', '0.137'],
    ['by chance', '0.027', '0.027', '0.027'],
  ])
  expect(stdout).toMatch(
    /\n347 pairs of consecutive steps: the bias that follows from the load is the recorded one, to the last bit.\n$/,
  )
})

test('one bias that is off by one bit makes it a failed check', async () => {
  const off = changed(training, 'off.safetensors', (tensors) => {
    const bias = words(tensors, 'bias')
    bias.setUint32(4 * 3 * 128 * 10, bias.getUint32(4 * 3 * 128 * 10, true) ^ 1, true)
  })
  const { code, stdout } = await moesim(['replay', off])
  expect(code).toBe(1)
  expect(stdout).toMatch(/: the bias that follows from the load is NOT the recorded one in 2.\n$/) // before and after
  const { code: jsonCode, stdout: json } = await moesim(['replay', off, '--json'])
  expect(jsonCode).toBe(1)
  expect(JSON.parse(json)).toMatchObject({
    pairs: 347,
    differingPairs: 2,
    numExperts: 128,
    tokensPerStep: 1920,
  })
  expect(JSON.parse(json).layers[2]).toMatchObject({ index: 6, worstStep: 20 })
})

test('a trace without a bias is refused, and the message says what is missing', async () => {
  const bare = changed(trace, 'bare.safetensors', (tensors) => {
    tensors.delete('layers.4.e_score_correction_bias')
  })
  const { code, stdout, stderr } = await moesim(['replay', bare])
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toContain('layers.4.e_score_correction_bias')
})

const one: Tensor = { dtype: 'U8', shape: [1], bytes: new Uint8Array(1) }
test.each([
  [['a', 'b', 'c', 'd', 'e', 'f'], 'tensors a, b, c, d and 2 more'],
  [['counts'], 'tensors counts'],
  [[], 'tensors none'],
])('a file of tensors %j is neither, and the message lists them', async (names, found) => {
  const path = join(folder, 'strange.safetensors')
  writeFileSync(path, writeSafetensors(new Map(names.map((name) => [name, one]))))
  const { code, stdout, stderr } = await moesim(['replay', path])
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toBe(
    `moesim: ${path}: replay: the file must hold a routing trace (tensors layers.N.router_input) or training loads ` +
      `(counts and bias), got "${found}". Give a file that a routing recorder wrote.\n`,
  )
})

test.each([
  ['notes.txt', 'Loads of last week\n', '"Loads of last week\\n"'],
  ['short.txt', 'hi', '"hi"'],
  ['null.bin', new Uint8Array(64), '"\\u0000'],
  ['empty.safetensors', '', '"an empty file"'],
  ['table.parquet', 'PAR1\u0015\u0004', '"PAR1'],
])('%s is told by name as no safetensors file, whoever asks', async (name, content, shown) => {
  const path = join(folder, name)
  writeFileSync(path, content)
  for (const words of [['replay'], ['simulate', '--trace']]) {
    const { code, stdout, stderr } = await moesim([...words, path])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain(`moesim: ${path}: ${words[0]}: it must be a safetensors file, got ${shown}`)
    expect(stderr).toContain('Give a file that a routing recorder wrote.')
  }
})

test.each([
  ['.npy', [0x93, ...Buffer.from('NUMPY'), 1, 0, 118, 0, ...Buffer.from("{'descr': '<f4'")]],
  ['.npz', [...Buffer.from('PK'), 3, 4, 20, 0, 0, 0, 0, 0]],
])('a file of NumPy is told as such, whoever asks: %s', async (end, bytes) => {
  const path = join(folder, `logits${end}`)
  writeFileSync(path, Uint8Array.from(bytes))
  for (const words of [['replay'], ['place'], ['cost', '--loads'], ['simulate', '--trace']]) {
    const { code, stdout, stderr } = await moesim([...words, path])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    const rule = `moesim: ${path}: ${words[0]}: it must be a safetensors file, got "a .npy or .npz file". `
    expect(stderr).toContain(`${rule}Put its arrays into one by safetensors.numpy.save_file`)
  }
})

test('logits alone become a trace by the identity as their router, which the message says', async () => {
  const path = join(folder, 'logits.safetensors')
  const logits = floats([3, 2], [1, 0, 0, 2, 3, 1])
  writeFileSync(path, fileOf({ 'layers.4.logits': logits }, {}))
  expect((await moesim(['replay', path])).stderr).toContain(
    'got "tensors layers.4.logits". Name the logits router_input, and store the identity [E, E] as router_weight;',
  )
  const config = {
    n_routed_experts: 2,
    num_experts_per_tok: 1,
    routed_scaling_factor: 1,
    norm_topk_prob: true,
    n_group: 1,
    topk_group: 1,
  }
  const tensors = {
    'layers.4.router_input': logits,
    'layers.4.router_weight': floats([2, 2], [1, 0, 0, 1]),
    'layers.4.e_score_correction_bias': floats([2]),
    'layers.4.topk_indices': ints([3, 1], [0, 1, 0]),
    'layers.4.topk_weights': floats([3, 1], [1, 1, 1]),
    ...Object.fromEntries(
      ['token_ids', 'domain_ids', 'sequence_ids', 'positions'].map((name) => [name, ints([3], [0, 0, 0])]),
    ),
  }
  writeFileSync(path, fileOf(tensors, { config, domains: [{ name: 'all' }] }))
  expect((await moesim(['replay', path])).stdout).toContain('The routing is the recorded one')
})

test('a file that is cut short is told by name', async () => {
  const path = join(folder, 'cut.safetensors')
  writeFileSync(path, readFileSync(training).subarray(0, 5000))
  const { stderr } = await moesim(['replay', path])
  expect(stderr).toContain(`moesim: ${path}: safetensors: tensor 'bias' ends at byte `)
  expect(stderr).toContain('The file is cut short')
})

test('training loads are told from a trace where a trace is asked for', async () => {
  const { code, stderr } = await moesim(['simulate', '--trace', training])
  expect(code).toBe(1)
  expect(stderr).toContain(
    `moesim: ${training}: simulate: it must hold a routing trace, got "training loads". They have no tokens`,
  )
})

test.each([
  ['no-such.safetensors', 'file: it must exist'],
  [folder, 'file: it must be a file'],
])('%s cannot be read, and the message says why', async (path, message) => {
  const { code, stderr } = await moesim(['replay', path])
  expect(code).toBe(1)
  expect(stderr).toContain(`moesim: ${message}`)
})
