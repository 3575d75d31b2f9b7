import { countParameters, nemotron3Nano } from 'moesim'
import { expect, test } from 'vitest'
import { moesim } from './terminal.js'

test('count shows the parts of Nemotron 3 Nano, their sums, and what a token uses, as published', async () => {
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
`)
})

test('count --json gives the figures of countParameters', async () => {
  const { code, stdout } = await moesim('count nemotron-3-nano-30b-a3b --json')
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toEqual({
    preset: 'nemotron-3-nano-30b-a3b',
    name: nemotron3Nano.name,
    ...countParameters(nemotron3Nano),
  })
})

test('count takes another preset', async () => {
  const { code, stdout } = await moesim('count tiny')
  expect(code).toBe(0)
  expect(stdout).toMatch(/^Small trained NemotronH-type model\n\nparameters +total +active\n/)
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
