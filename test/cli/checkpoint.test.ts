import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { compareCheckpoint, presets, readSafetensors, writeSafetensors } from 'moesim'
import { expect, test } from 'vitest'
import { dataFile, moesim, newFolder } from './terminal.js'

const model = dataFile('model.safetensors')
const header = [...readSafetensors(readFileSync(model)).tensors].map(([name, { dtype, shape }]) => ({
  name,
  dtype,
  shape,
}))
const folder = newFolder()
const index = join(folder, 'model.safetensors.index.json')
const weight_map = Object.fromEntries(
  header.map(({ name }, i) => [name, `model-0000${(i % 2) + 1}-of-00002.safetensors`]),
)
writeFileSync(index, JSON.stringify({ metadata: { total_size: 7351120 }, weight_map }))
copyFileSync(dataFile('config.json'), join(folder, 'config.json'))

test('a real checkpoint is what the config beside it says, to the unit', async () => {
  const { code, stdout } = await moesim(['count', '--checkpoint', model])
  expect(code).toBe(0)
  expect(stdout).toBe(`${model}: 818 tensors; F32 384, F16 3,675,176

parameters         config  checkpoint  difference
mamba             315,432     315,432
routed experts  3,145,728   3,145,728
shared experts     49,152      49,152
router             49,152      49,152
router bias           384         384
attention          49,152      49,152
norms               1,024       1,024
embedding          32,768      32,768
lm head            32,768      32,768
sum             3,675,560   3,675,560

The config explains every tensor.
`)
})

test('a checkpoint that is not what the config says fails, and the part is shown', async () => {
  const { code, stdout } = await moesim([
    'count',
    join(folder, 'config.json'),
    '--checkpoint',
    ...[model, '--csv'],
  ])
  expect(code).toBe(0)
  expect(stdout).toMatch(/^part,config,checkpoint,why\nmamba,315432,315432,\n/)
  const other = join(folder, 'other.json')
  const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as object
  writeFileSync(other, JSON.stringify({ ...config, n_routed_experts: 64, tie_word_embeddings: true }))
  const differs = await moesim(['count', other, '--checkpoint', model])
  expect(differs.code).toBe(1)
  expect(differs.stdout).toContain('\nrouted experts  1,572,864   3,145,728  +1,572,864\n')
  expect(differs.stdout).toContain('\nlm head: tied to the embedding, and stored all the same\n')
  expect(differs.stdout).toMatch(/\nNot every difference is explained\.\n$/)
})

test('as JSON it is what compareCheckpoint gives', async () => {
  const { code, stdout } = await moesim(['count', 'tiny', '--checkpoint', model, '--json'])
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toEqual({ checkpoint: [model], ...compareCheckpoint(presets.tiny!, header) })
})

test('several files are one checkpoint, and what is not known is named', async () => {
  const more = join(folder, 'more.safetensors')
  const tensor = { dtype: 'U8', shape: [3, 2], bytes: new Uint8Array(6) } as const
  const names = ['mystery', `\u001b[2J${'x'.repeat(1e5)}`]
  writeFileSync(more, writeSafetensors(new Map(names.map((name) => [name, tensor]))))
  const { code, stdout } = await moesim(['count', 'tiny', '--checkpoint', model, '--checkpoint', more])
  expect(code).toBe(1)
  expect(stdout).toContain(`${model}, ${more}: 820 tensors; `)
  expect(stdout).toMatch(/\nTensors whose part is not known:\n {2}mystery\n {2}\ufffd\[2Jx{113}\.\.\.\n/)
})

test('an index without its files tells names and bytes', async () => {
  const { code, stdout } = await moesim(['count', '--checkpoint', index])
  expect(code).toBe(0)
  expect(stdout).toContain(`${index}: 818 tensors\n\ntensors of      number\n`)
  expect(stdout).toMatch(/\nrouted experts +768\n/)
  expect(stdout).toContain(`
The config has 3,675,560 parameters.
It states 7,351,120 bytes, 2.0000 a parameter of the config.
Only its files tell dtypes and shapes, and 2 files of it must be put beside it: model-00001-of-00002.safetensors …
`)
  const json = JSON.parse((await moesim(['count', '--checkpoint', index, '--json'])).stdout) as object
  expect(json).toMatchObject({
    index: [index],
    config: 3675560,
    totalBytes: 7351120,
    tensors: { routedExperts: 768 },
  })
  expect((await moesim(['count', '--checkpoint', index, '--csv'])).stdout).toMatch(/^part,tensors\n/)
})

test('an index that states its parameters is told beside those of the config', async () => {
  const path = join(folder, 'stated.index.json')
  writeFileSync(path, JSON.stringify({ metadata: { total_parameters: 5 }, weight_map }))
  const { stdout } = await moesim(['count', 'deepseek-v3', '--checkpoint', path])
  expect(stdout).toContain(
    'The config has 682,636,487,424 parameters, MTP blocks included.\nThe index states 5.\n',
  )
})

test.each<[words: string[], rule: string, code?: number]>([
  [
    ['count', 'tiny', 'dbrx', '--checkpoint', model],
    'count: --checkpoint must stand with one model, as it is',
    2,
  ],
  [
    ['count', 'dbrx', '--set', 'n_layers=1', '--checkpoint', model],
    'count: --checkpoint must stand with one model',
    2,
  ],
  [['count', '--checkpoint', 'none/model.safetensors'], '--checkpoint: a config.json must stand beside it'],
  [
    ['count', 'tiny', '--checkpoint', index, '--checkpoint', model],
    '--checkpoint: an index must have its files to stand with others, got "model-00001-of-00002.safetensors"',
  ],
  [
    ['count', 'tiny', '--checkpoint', model, '--checkpoint', model],
    'countCheckpoint: a tensor must stand in one file, once',
  ],
  [['count', 'tiny', '--checkpoint', 'none.safetensors'], 'file: it must exist'],
  [
    ['count', 'tiny', '--checkpoint', dataFile('config.json')],
    `${dataFile('config.json')}: index: it must have a weight_map`,
  ],
])('%j is refused', async (words, rule, refused = 1) => {
  const { code, stdout, stderr } = await moesim(words)
  expect({ code, stdout }).toEqual({ code: refused, stdout: '' })
  expect(stderr).toContain(`moesim: ${rule}`)
})
