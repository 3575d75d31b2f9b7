import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  countParameters,
  flopsOf,
  fromHuggingFaceConfig,
  type ModelConfig,
  memoryOf,
  nemotron3Nano,
  presets,
  publishedModels,
  sequenceBytes,
} from 'moesim'
import { describe, expect, test } from 'vitest'
import { dataFile, moesim, newFolder } from './terminal.js'

const folder = newFolder()
const file = (name: string, text: string | Uint8Array): string => {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}
const mixtral = publishedModels['mixtral-8x7b']!.config

/** What a model takes up and does, as the library has it. */
function resources(model: ModelConfig, contextTokens: number): object {
  const memory = memoryOf(model)
  const weights = (format: 'bf16' | 'fp8' | 'nvfp4'): number =>
    Math.ceil(memoryOf(model, { weights: format }).weightBytes)
  const prefill = flopsOf(model, { tokens: contextTokens })
  return {
    contextTokens,
    memory: {
      weightBytes: { bf16: weights('bf16'), fp8: weights('fp8'), nvfp4: weights('nvfp4') },
      keyValueBytesPerToken: memory.caches.reduce((sum, { bytesPerToken }) => sum + bytesPerToken, 0),
      stateBytesPerSequence: memory.stateBytes,
      sequenceBytes: sequenceBytes(memory, contextTokens),
    },
    flops: {
      prefill,
      prefillPerToken: Math.round(prefill.total / contextTokens),
      decode: flopsOf(model, { tokens: 1, contextTokens }),
    },
  }
}

test('count shows the parts of Nemotron 3 Nano, their sums, what a token uses, and the published figures', async () => {
  const { code, stdout, stderr } = await moesim('count')
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toBe(`Nemotron 3 Nano 30B-A3B

parameters               total         active
mamba              891,070,784    891,070,784
routed experts  29,374,808,064  1,376,944,128
shared experts     458,981,376    458,981,376
router               7,913,472      7,913,472
router bias              2,944          2,944
attention          140,378,112    140,378,112
norms                  142,464        142,464
embedding          352,321,536    352,321,536
lm head            352,321,536    352,321,536
sum             31,577,940,288  3,580,076,352

active for a token          parameters  of the total
backbone                 2,875,433,280         9.1 %
with head                3,227,754,816        10.2 %
with head and embedding  3,580,076,352        11.3 %

memory                                     bytes
weights in bf16                   63,155,880,576
weights in fp8                    31,577,940,288
weights in nvfp4                  17,762,591,412
keys and values of a token, bf16           6,144
state of a sequence                   49,082,368
a sequence of 4,096 tokens            74,248,192

forward FLOPs     prefill of 4,096 tokens  a token of them  decode of the next
weights                23,556,254,072,832    5,751,038,592       6,455,509,632
attention scores          824,835,047,424      201,375,744         402,751,488
state scan                246,960,619,520       60,293,120          60,293,120
sum                    24,628,049,739,776    6,012,707,456       6,918,554,240

Published in arXiv 2512.20848:
  total 31.6B, the sum rounded.
  active 3.2B, the backbone with head rounded.
A checkpoint holds 31,577,937,344: the sum without router bias.
The report gives 3.2B active, and 3.6B with embeddings. Its 2 shared experts of width 1856 are one MLP of 3712 in the checkpoint.
`)
})

test('count shows the stored blocks for multi-token prediction apart', async () => {
  const { stdout } = await moesim('count deepseek-v3')
  expect(stdout).toContain(`
sum             671,026,419,200  37,552,297,472
MTP blocks       11,610,068,224
sum with them   682,636,487,424
`)
  expect(stdout).toContain(
    'A checkpoint holds 684,489,845,504: the sum with MTP blocks and their copies of embedding and head.\n',
  )
})

test('count tells why a published figure is none of ours', async () => {
  const said = async (preset: string): Promise<string> => (await moesim(['count', preset])).stdout
  expect(await said('hunyuan-large')).toContain('active 52B, none of ours: 51.32B with the tied table once; ')
  expect(await said('grok-1')).toContain('total 314B, 314B is ours without the embedding, truncated.\n')
})

test('every preset is counted in words, as JSON and as CSV', async () => {
  const names = Object.keys(presets)
  for (const name of names) {
    const { code, stdout } = await moesim(['count', name])
    expect({ code, name }).toEqual({ code: 0, name })
    expect(stdout).not.toMatch(/undefined|NaN/)
  }
  const { stdout } = await moesim(['count', ...names, '--json'])
  expect((JSON.parse(stdout) as { total: number }[]).map(({ total }) => total)).toEqual(
    Object.values(presets).map((model) => countParameters(model).total),
  )
})

test('count --json gives the figures of countParameters, and the published ones', async () => {
  const { code, stdout } = await moesim('count nemotron-3-nano-30b-a3b --json')
  expect(code).toBe(0)
  const { publishedIn, total, active, exact, note } = publishedModels['nemotron-3-nano-30b-a3b']!
  expect(JSON.parse(stdout)).toEqual({
    preset: 'nemotron-3-nano-30b-a3b',
    name: nemotron3Nano.name,
    ...countParameters(nemotron3Nano),
    ...resources(nemotron3Nano, 4096),
    published: { publishedIn, total, active, exact, note },
  })
})

/** By hand, from the sizes of three unlike models at a context of 1,000 tokens; two operations a weight are known. */
test.each([
  // grouped queries: 48 layers, 32 heads of 128; keys and values of 4 heads in bf16
  ['qwen3-30b-a3b', 48 * 2 * 4 * 128 * 2, 0, 48 * 2 * 32 * 256 * 1001, 48 * 2 * 32 * 256 * 500_500],
  // latent attention: 61 layers, 128 heads; 512 + 64 numbers a token, read as they are where they come from the cache
  [
    'deepseek-v3',
    61 * 576 * 2,
    0,
    61 * 2 * 128 * ((576 + 512) * 1000 + (192 + 128)),
    61 * 2 * 128 * (192 + 128) * 500_500,
  ],
  // 6 layers of attention; 23 of Mamba-2 with a state of 64 · 64 · 128 in fp32 and 3 inputs of 4096 + 2 · 8 · 128 in bf16
  [
    'nemotron-3-nano-30b-a3b',
    6 * 2 * 2 * 128 * 2,
    23 * (64 * 64 * 128 * 4 + 3 * (4096 + 2048) * 2),
    6 * 2 * 32 * 256 * 1001 + 23 * 5 * 64 * 64 * 128,
    6 * 2 * 32 * 256 * 500_500 + 1000 * 23 * 5 * 64 * 64 * 128,
  ],
])('memory and FLOPs of %s are what its sizes give', async (name, perToken, state, decode, prefill) => {
  const { stdout } = await moesim(['count', name, '--context', '1000', '--csv'])
  const [header, row] = stdout.split('\n').map((line) => line.split(','))
  const figure = (path: string): number => Number(row![header!.indexOf(path)])
  const { total, active } = countParameters(presets[name]!)
  expect(figure('contextTokens')).toBe(1000)
  expect(figure('memory.weightBytes.bf16')).toBe(2 * total)
  expect(figure('memory.keyValueBytesPerToken')).toBe(perToken)
  expect(figure('memory.stateBytesPerSequence')).toBe(state)
  expect(figure('memory.sequenceBytes')).toBe(state + 1000 * perToken)
  expect(figure('flops.decode.total')).toBe(2 * active.withHead + decode)
  const prefilled = 2000 * active.backbone + 2 * (active.withHead - active.backbone) + prefill
  expect(figure('flops.prefill.total')).toBe(prefilled)
  expect(figure('flops.prefillPerToken')).toBe(Math.round(prefilled / 1000))
})

test('count takes another preset', async () => {
  const { code, stdout } = await moesim('count tiny')
  expect(code).toBe(0)
  expect(stdout).toMatch(/^Small trained NemotronH-type model\n\nparameters +total +active\n/)
})

describe('models side by side', () => {
  test('have a column each, empty for parts that a model lacks', async () => {
    const { stdout } = await moesim('count nemotron-3-nano-30b-a3b mixtral-8x7b deepseek-v3')
    expect(stdout).toBe(`\
parameters      nemotron-3-nano-30b-a3b    mixtral-8x7b      deepseek-v3
mamba                       891,070,784
routed experts           29,374,808,064  45,097,156,608  653,908,770,816
shared experts              458,981,376                    2,554,331,136
router                        7,913,472       1,048,576      106,430,464
router bias                       2,944                           14,848
attention                   140,378,112   1,342,177,280   11,413,547,008
norms                           142,464         266,240          881,664
embedding                   352,321,536     131,072,000      926,679,040
lm head                     352,321,536     131,072,000      926,679,040
dense mlp                                                  1,189,085,184
sum                      31,577,940,288  46,702,792,704  671,026,419,200
MTP blocks                                                11,610,068,224
sum with them                                            682,636,487,424
published                         31.6B           46.7B             671B
verdict                          rounds          rounds           rounds

active for a token       nemotron-3-nano-30b-a3b    mixtral-8x7b     deepseek-v3
backbone                           2,875,433,280  12,617,781,248  35,698,939,392
with head                          3,227,754,816  12,748,853,248  36,625,618,432
with head and embedding            3,580,076,352  12,879,925,248  37,552,297,472
published                                   3.2B           12.9B             37B
verdict                                   rounds          rounds          rounds

memory, bytes                     nemotron-3-nano-30b-a3b    mixtral-8x7b        deepseek-v3
weights in bf16                            63,155,880,576  93,405,585,408  1,342,052,838,400
weights in fp8                             31,577,940,288  46,702,792,704    671,026,419,200
weights in nvfp4                           17,762,591,412  26,270,320,896    377,452,360,800
keys and values of a token, bf16                    6,144         131,072             70,272
state of a sequence                            49,082,368               0                  0
a sequence of 4,096 tokens                     74,248,192     536,870,912        287,834,112

forward FLOPs            nemotron-3-nano-30b-a3b         mixtral-8x7b          deepseek-v3
prefill of 4,096 tokens       24,628,049,739,776  107,764,246,380,544  334,376,679,768,064
a token of them                    6,012,707,456       26,309,630,464       81,634,931,584
decode of the next                 6,918,554,240       27,645,714,432      142,848,125,952
`)
  })

  test('as CSV are a line each, whose columns are the paths of the JSON', async () => {
    const path = file('one, "two".json', JSON.stringify(mixtral))
    const { stdout } = await moesim(['count', 'nemotron-3-nano-30b-a3b', path, '--csv'])
    const [header, nano, own] = stdout.split('\n').map((line) => line.split(','))
    expect(header!.slice(0, 7)).toEqual([
      ...['model', 'name', 'total'],
      ...['active.backbone', 'active.withHead', 'active.withEmbedding', 'mtp'],
    ])
    const at = (name: string): number => header!.indexOf(name)
    expect(nano![at('parts.mamba.total')]).toBe('891070784')
    expect(nano!.slice(at('published.total.billions'))).toEqual(['31.6', 'rounds', '3.2', 'rounds'])
    expect(stdout).toContain(`\n"${path.replaceAll('"', '""')}","${path.replaceAll('"', '""')}",46702792704,`)
    expect(own!.slice(-4)).toEqual(['', '', '', ''])
  })
})

describe('a config.json', () => {
  test('is counted from a file, in the JSON of Python', async () => {
    const text = JSON.stringify({ ...mixtral, limit: [0, 'x'] }).replace('"x"', 'Infinity')
    const path = file('config.json', text)
    const { code, stdout } = await moesim(['count', path, '--json'])
    expect(code).toBe(0)
    const model = fromHuggingFaceConfig(mixtral)
    expect(JSON.parse(stdout)).toEqual({
      model: path,
      name: path,
      ...countParameters(model),
      ...resources(model, 4096),
    })
  })

  test('is counted from standard input', async () => {
    const stdin = async (): Promise<Uint8Array> => readFileSync(dataFile('config.json'))
    const { code, stdout } = await moesim('count - tiny', { stdin })
    expect(code).toBe(0)
    expect(stdout).toMatch(/^parameters +- +tiny\nmamba +315,432 +315,432\n/)
    expect(stdout).toMatch(/\nsum +3,675,560 +3,675,560\n/)
    expect((await moesim('count -', { stdin })).stdout).toMatch(/^standard input\n/)
  })

  test('read as another type warns of the fields that have no place, as the refusal does', async () => {
    const path = file('newer.json', JSON.stringify({ ...mixtral, model_type: 'new', adapter_width: 64 }))
    const fields = 'Fields that have no place in any of them: adapter_width.'
    expect((await moesim(['count', path])).stderr).toContain(fields)
    const { code, stderr } = await moesim(['count', path, '--assume', 'mixtral'])
    expect(code).toBe(0)
    expect(stderr).toBe(`moesim: ${path}: ${fields} What they hold is not counted.\n`)
    const known = file('known.json', JSON.stringify({ ...mixtral, model_type: 'new' }))
    expect((await moesim(['count', known, '--assume', 'mixtral'])).stderr).toBe('')
  })

  test('of an unknown type is read as another where asked', async () => {
    const path = file('unknown.json', JSON.stringify({ ...mixtral, model_type: 'new' }))
    const refused = await moesim(['count', path])
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain(`moesim: ${path}: fromHuggingFaceConfig: model_type must be a known one`)
    expect(refused.stderr).toContain("To read it as one of these, such as 'llama-moe', use --assume.")
    const { stdout } = await moesim(['count', path, '--assume', 'llama-moe', '--json'])
    expect(JSON.parse(stdout)).toMatchObject(countParameters(fromHuggingFaceConfig(mixtral)))
  })

  test.each([
    ['broken.json', '{"a": }', 'JSON: there must be a value in line 1, column 7'],
    ['list.json', '[]', 'fromHuggingFaceConfig: the config must be an object'],
    ['null.json', 'null', 'fromHuggingFaceConfig: the config must be an object'],
    ['utf16.json', Uint8Array.of(0xff, 0xfe, 0x7b, 0), 'it must be text in UTF-8, got "4 bytes"'],
  ])('that cannot be read is refused by name: %s', async (name, text, rule) => {
    const path = file(name, text)
    const { code, stdout, stderr } = await moesim(['count', path])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain(`moesim: ${path}: ${rule}`)
  })

  test.each([
    ['https://example.org/config.json', 'model: it must be local'],
    ['Qwen/Qwen3-30B-A3B', 'model: it must be a preset or a file that is there'],
    ['none/config.json', 'file: it must exist'],
    ['none.json', 'file: it must exist'],
  ])('that is not there is not fetched: %s', async (name, rule) => {
    const { code, stderr } = await moesim(['count', name])
    expect(code).toBe(1)
    expect(stderr).toContain(`moesim: ${rule}, got "${name}". `)
  })

  test('cannot make the terminal do anything', async () => {
    const path = file('escape.json', JSON.stringify({ ...mixtral, model_type: 'new', 'gate\u001b[2J': 8 }))
    expect((await moesim(['count', path])).stderr).toContain(': gate\ufffd[2J.\n')
  })

  test('of more than 16 MiB is refused unread', async () => {
    const path = file('large.json', new Uint8Array((1 << 24) + 1))
    expect((await moesim(['count', path])).stderr).toContain(`${path}: it must have at most 16777216 bytes`)
  })

  test('on the hub is told from the preset that may be meant', async () => {
    const { stderr } = await moesim('count Qwen/Qwen3-30B-A3B')
    expect(stderr).toContain("Did you mean 'qwen3-30b-a3b'")
    expect(stderr).toContain('Nothing is fetched: download its config.json, and give the path.')
  })
})

describe('--set', () => {
  test('shows what changes with fields of the config', async () => {
    const { code, stdout } = await moesim(
      'count qwen3-30b-a3b --set num_experts_per_tok=16 --set tie_word_embeddings=true',
    )
    expect(code).toBe(0)
    expect(stdout).toBe(`Qwen3-30B-A3B, num_experts_per_tok=16, tie_word_embeddings=true

parameters            as it is         changed    difference
attention          905,969,664     905,969,664             0
norms                  210,944         210,944             0
routed experts  28,991,029,248  28,991,029,248             0
router              12,582,912      12,582,912             0
embedding          311,164,928     311,164,928             0
lm head            311,164,928               0  -311,164,928  -100.0 %
sum             30,532,122,624  30,220,957,696  -311,164,928    -1.0 %

active for a token            as it is        changed      difference
attention                  905,969,664    905,969,664               0
norms                          210,944        210,944               0
routed experts           1,811,939,328  3,623,878,656  +1,811,939,328  +100.0 %
router                      12,582,912     12,582,912               0
embedding                  311,164,928    311,164,928               0
lm head                    311,164,928              0    -311,164,928  -100.0 %
backbone                 2,730,702,848  4,542,642,176  +1,811,939,328   +66.4 %
with head                3,041,867,776  4,853,807,104  +1,811,939,328   +59.6 %
with head and embedding  3,353,032,704  4,853,807,104  +1,500,774,400   +44.8 %

memory, bytes                           as it is         changed    difference
weights in bf16                   61,064,245,248  60,441,915,392  -622,329,856  -1.0 %
weights in fp8                    30,532,122,624  30,220,957,696  -311,164,928  -1.0 %
weights in nvfp4                  17,174,318,976  16,999,288,704  -175,030,272  -1.0 %
keys and values of a token, bf16          98,304          98,304             0
state of a sequence                            0               0             0
a sequence of 4,096 tokens           402,653,184     402,653,184             0

forward FLOPs                      as it is             changed           difference
prefill of 4,096 tokens  28,969,220,440,064  43,812,627,415,040  +14,843,406,974,976  +51.2 %
a token of them               7,072,563,584      10,696,442,240       +3,623,878,656  +51.2 %
decode of the next            9,305,747,456      12,929,626,112       +3,623,878,656  +38.9 %
`)
  })

  test('takes a text that is no JSON as it stands', async () => {
    const { stdout } = await moesim('count deepseek-v3 --set topk_method=greedy --csv')
    expect(stdout).toContain('\nparts.routerBias.total,14848,0,-14848\n')
  })

  test.each<[words: string, rule: string, code?: number]>([
    ['count tiny --set vocab_size=5', 'preset: it must come with a config.json to read it anew, got "tiny"'],
    ['count dbrx --set moe_topk', '--set must be a field, = and a value, got "moe_topk"', 2],
    ['count dbrx --set =1', '--set must be a field, = and a value, got "=1"', 2],
    ['count dbrx tiny --set n_layers=1', 'count: --set must stand with one model, got 2', 2],
    ['count dbrx --set moe_topkk=1', 'setConfigFields: a field must be one of the config, got "moe_topkk"'],
    ['count dbrx --set moe_topk=17', 'dbrx: fromHuggingFaceConfig: ffn_config.moe_top_k must be at most'],
    ['count dbrx --json --csv', '--json and --csv must not stand together', 2],
    ['count dbrx --context 0', '--context must be a whole number from 1 to 10000000, got "0"', 2],
    ['compare dbrx tiny --context 1e8', '--context must be a whole number from 1 to 10000000', 2],
    ['count - - tiny', "model: '-' must be named once", 2],
    ['count tiny --assume mixtral', 'preset: it must come with a config.json to read it anew'],
  ])('%s is refused', async (words, rule, refused = 1) => {
    const { code, stdout, stderr } = await moesim(words)
    expect({ code, stdout }).toEqual({ code: refused, stdout: '' })
    expect(stderr).toContain(`moesim: ${rule}`)
  })
})

test('a preset is read under an assumption too', async () => {
  const { stdout } = await moesim('count mixtral-8x7b --assume qwen3_moe --json')
  expect((JSON.parse(stdout) as { parts: { norms: { total: number } } }).parts.norms.total).toBe(
    266_240 + 32 * 2 * 128,
  )
})

describe('compare', () => {
  test('takes models, and says what is for runs', async () => {
    const run = join(newFolder(), 'run.jsonl')
    await moesim(`simulate --tokens 64 --steps 2 --out ${run}`)
    const { code, stdout, stderr } = await moesim(['compare', run, run])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toBe(
      `moesim: ${run}: model: it must be a preset or a config.json, got "a run of simulate --out". A file of simulate ` +
        '--out is for moesim place and moesim cost --loads; to compare runs, print each with simulate --json.\n',
    )
  })

  test('shows two models part by part, with their differences', async () => {
    const { code, stdout } = await moesim('compare tiny glm-4.5')
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /^Small trained NemotronH-type model and GLM-4.5\n\nparameters +tiny +glm-4.5 +difference\n/,
    )
    expect(stdout).toMatch(/\nmamba +315,432 +0 +-315,432 +-100.0 %\n/)
    expect(stdout).toMatch(/\ndense mlp +0 +566,231,040 +\+566,231,040\n/)
    expect(stdout).toMatch(/\nMTP blocks +0 +3,988,069,792 +\+3,988,069,792\n/)
    expect(stdout).toMatch(/\nweights in bf16 +7,351,120 +705,595,658,048 +\+/)
    expect(stdout).toMatch(/\nforward FLOPs +tiny +glm-4.5 +difference\nprefill of 4,096 tokens +/)
    expect(stdout).toMatch(/\nbackbone +611,752 +32,080,373,664 +\+32,079,761,912 +\+5243\d+.\d %\n/)
  })

  test('gives figures under their paths as JSON and as CSV', async () => {
    const { stdout } = await moesim('compare tiny mixtral-8x7b --json')
    const { a, b, figures } = JSON.parse(stdout) as {
      a: string
      b: string
      figures: Record<string, unknown>[]
    }
    expect([a, b]).toEqual([presets.tiny!.name, 'Mixtral-8x7B'])
    expect(figures[0]).toEqual({ figure: 'total', a: 3675560, b: 46702792704, difference: 46699117144 })
    const lines = (await moesim('compare tiny mixtral-8x7b --csv')).stdout.trimEnd().split('\n')
    expect(lines.slice(1)).toEqual(figures.map((row) => Object.values(row).join(',')))
    expect(lines[0]).toBe('figure,a,b,difference')
  })
})

test.each([
  ['nemotron-3-nano', "Did you mean 'nemotron-3-nano-30b-a3b'? Known: nemotron-3-nano-30b-a3b, "],
  ['Tiny', "Did you mean 'tiny'? Known: "],
  ['nemotron-3-nano-30b-a4b', "Did you mean 'nemotron-3-nano-30b-a3b'"],
  ['constructor', 'Known: '],
])(
  'count %s, which is unknown, is refused with what may be meant and what there is',
  async (name, remedy) => {
    const { code, stdout, stderr } = await moesim(['count', name])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain(`moesim: preset: it must be a known one, got "${name}". ${remedy}`)
  },
)
