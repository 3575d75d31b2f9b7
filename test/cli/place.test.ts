import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadOf, placeExperts, readTrace, stragglerFactor } from 'moesim'
import { describe, expect, test } from 'vitest'
import { dataFile, moesim, newFolder } from './terminal.js'

const folder = newFolder()
const trace = dataFile('trace.safetensors')
const training = dataFile('training-load.safetensors')
const file = (name: string, text: string): string => {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}
const eight = file('eight.csv', 'expert,load\n0,8\n1,1\n2,1\n3,1\n4,1\n5,1\n6,1\n7,2\n')

describe('place', () => {
  test('says how long ranks wait as loaded, by chance and placed, of each layer of a trace', async () => {
    const { code, stdout, stderr } = await moesim(['place', trace, '--ranks', '32', '--replicas', '160'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toBe(`\
3,840 recorded tokens, 3 layers: 128 experts in 160 slots, 5 on each of 32 ranks of 1 node

Load of the busiest rank over the mean, if the replicas of an expert share its tokens equally
         as loaded  by chance   eplb  no less than  time waited  most replicas
layer 1      1.389      1.292  1.015         1.000        1.5 %              2
layer 4      1.544      1.416  1.002         1.000        0.2 %              2
layer 6      1.481      1.375  1.008         1.000        0.8 %              2

Of the loads it was placed by: on other tokens, expect more.
`)
  })

  test('says that the bound looks at one node, where there are several', async () => {
    const { stdout } = await moesim(['place', trace, '--ranks', '8', '--nodes', '4', '--groups', '8'])
    expect(stdout).toMatch(/ no less than, as one node /)
  })

  test('--json gives the placement itself', async () => {
    const { stdout } = await moesim(['place', trace, '--ranks', '16', '--replicas', '144', '--json'])
    const { layers, ...sizes } = JSON.parse(stdout)
    expect(sizes).toEqual({ numExperts: 128, replicas: 144, ranks: 16, nodes: 1, groups: 1, policy: 'eplb' })
    const read = readTrace(readFileSync(trace))
    expect(layers).toHaveLength(3)
    read.layers.forEach((layer, i) => {
      const load = loadOf({ ...read, ...read.router, ...layer, dropped: 0 })
      const placed = placeExperts(load, { replicas: 144, ranks: 16 })
      expect(layers[i]).toMatchObject({
        index: layer.index,
        experts: [...placed.experts],
        replicaRank: [...placed.replicaRank],
        replicaCount: [...placed.replicaCount],
      })
      expect(layers[i].stragglerFactor.placed).toBe(stragglerFactor(load, placed, 16))
      expect(Math.max(...layers[i].rankLoads) / 1440).toBeCloseTo(layers[i].stragglerFactor.placed, 12)
    })
  })

  test('sums the last steps of recorded training, as many as are asked for', async () => {
    const twenty = await moesim(['place', training, '--ranks', '16'])
    expect(twenty.stdout).toMatch(/^the last 20 steps summed, 3 layers: 128 experts in 128 slots, /)
    expect(twenty.stdout).toMatch(/\nlayer 1 +1\.031 .*\nlayer 4 +1\.105 .*\nlayer 6 +1\.050 /)
    const one = await moesim(['place', training, '--ranks', '16', '--last', '1'])
    expect(one.stdout).toMatch(/^the last step summed, 3 layers/)
    const all = await moesim(['place', training, '--ranks', '16', '--last', '1000'])
    expect(all.stdout).toMatch(/^the last 572 steps summed, 3 layers/)
  })

  test('sums the last steps of a report, whole lines or not', async () => {
    const report = join(folder, 'run.jsonl')
    await moesim([
      'simulate',
      '--experts',
      '8',
      '--top-k',
      '2',
      '--layers',
      '2',
      '--steps',
      '4',
      '--tokens',
      '64',
      '--out',
      report,
    ])
    const { code, stdout } = await moesim(['place', report, '--ranks', '4', '--last', '3'])
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /^the last 3 steps summed, 2 layers: 8 experts in 8 slots, 2 on each of 4 ranks of 1 node\n/,
    )
    const text = readFileSync(report, 'utf8')
    expect(
      await moesim(['place', file('unended.jsonl', text.trimEnd()), '--ranks', '4', '--last', '3']),
    ).toMatchObject({ stdout })
  })

  test('reads CSV, with every policy', async () => {
    const placed = async (policy: string, ...more: string[]): Promise<string> => {
      const { stdout } = await moesim(['place', eight, '--ranks', '4', '--policy', policy, ...more])
      return stdout.match(/\nlayer 0 +\S+ +\S+ +(\S+)/)![1]
    }
    expect(await placed('linear')).toBe('2.250')
    expect(await placed('round-robin')).toBe('2.250')
    expect(await placed('eplb')).toBe('2.250')
    expect(await placed('search', '--replicas', '12')).toBe('1.050')
    expect(await placed('exact', '--replicas', '12')).toBe('1.000')
    const nodes = ['--replicas', '12', '--nodes', '2', '--groups', '4']
    expect(await placed('eplb', ...nodes)).toBe('1.583')
    expect(await placed('search', ...nodes)).toBe('1.375')
    expect(await placed('exact', ...nodes)).toBe('1.375')
  })

  test.each<[words: string[], message: string, code?: number]>([
    [['--ranks', '3'], 'placeExperts: ranks must divide replicas = 8, got 3', 1],
    [['--replicas', '65544'], 'placeExperts: replicas must be a whole number from 8 to 65536, got 65544', 1],
    [['--ranks', '0'], '--ranks must be a whole number from 1'],
    [['--replicas', '7'], 'placeExperts: replicas must be a whole number from 8', 1],
    [['--nodes', '2'], '--nodes must divide --groups, which is 1, got 2. Nodes hold whole groups'],
    [['--policy', 'best'], '--policy must be one of eplb, search, exact, linear, round-robin, got "best"'],
    [['--last', 'x'], '--last must be a whole number'],
  ])('%j is refused', async (words, message, refused = 2) => {
    const { code, stdout, stderr } = await moesim(['place', eight, ...words])
    expect({ code, stdout }).toEqual({ code: refused, stdout: '' })
    expect(stderr).toContain(`moesim: ${message}`)
  })

  test.each([
    ['words.csv', 'no csv', 'words.csv: readLoadCsv: the columns must be expert and load'],
    ['json.jsonl', '{"a":1}\n', 'place: line 1 of '],
    ['torn.jsonl', '{"numExperts":2,"load":[1,2]}\n{"numEx', 'place: line 2 of '],
    ['parts.jsonl', '{"numExperts":2,"load":[1.5,2]}\n', 'must be a report'],
    ['null.jsonl', '{"numExperts":2,"load":[1,2]}\nnull\n', 'place: line 2 of '],
    ['less.jsonl', '{"numExperts":2,"load":[-1,2]}\n', 'must be a report'],
    ['more.jsonl', '{"numExperts":2,"load":[2147483648,2]}\n', 'must be a report'],
    ['rows.jsonl', '{"numExperts":2,"load":[1,2,3]}\n', 'load must be [L, E]'],
    [
      'changes.jsonl',
      '{"numExperts":1,"load":[1]}\n{"numExperts":1,"load":[1,2]}\n',
      'every load must hold 1 counts',
    ],
    [
      'ragged.csv',
      'layer,expert,load\n0,0,1\n0,1,2\n3,0,1\n',
      'place: layer 3 must have 2 experts, as layer 0',
    ],
    ['strange.safetensors', '\0\0\0\0\0\0\0\0', 'strange.safetensors: place: it must be a safetensors file'],
  ])('a file such as %s is refused', async (name, text, message) => {
    const { code, stdout, stderr } = await moesim(['place', file(name, text)])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain(message)
  })
})
