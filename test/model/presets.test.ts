import { readFileSync } from 'node:fs'
import * as moesim from 'moesim'
import {
  countParameters,
  fromHuggingFaceConfig,
  nemotron3Nano,
  nemotron3NanoRecipe,
  type PublishedFigure,
  presets,
  publishedModels,
  routerOf,
} from 'moesim'
import { describe, expect, test } from 'vitest'

interface Entry {
  name: string
  config: object | null
  published: { total: string; active: string | null }
  agreement: Record<string, string[]> | null
  exactTotal: number | null
  exactMatches: string[] | null
  derived: { total: number; mtp: number | null; activeBackbone: number; components: object } | null
}

const fixture = new URL('../fixtures/models.json', import.meta.url)
const entries = JSON.parse(readFileSync(fixture, 'utf8')) as Entry[]
const keys = Object.keys(publishedModels)
const pairs = keys.map((key, i) => [key, entries[i]] as const)

test('44 published models have a preset of their name, and a record that is exported by a name of its own', () => {
  expect(keys).toHaveLength(44)
  expect(entries).toHaveLength(44)
  expect(Object.keys(presets)).toEqual([...keys, 'tiny'])
  const exported = new Set<unknown>(Object.values(moesim))
  for (const record of Object.values(publishedModels)) expect(exported.has(record)).toBe(true)
  for (const key of keys) expect(presets[key].name).toBe(publishedModels[key].name)
})

test('a preset is built once, and Nemotron 3 Nano is the constant', () => {
  expect(presets['qwen3-30b-a3b']).toBe(presets['qwen3-30b-a3b'])
  expect(presets['nemotron-3-nano-30b-a3b']).toBe(nemotron3Nano)
})

/** All that our count says of a published figure. */
const figuresOf = (key: string): Record<string, number> => {
  const { total, active, mtp, parts } = countParameters(presets[key])
  const tables = parts.embedding.total + (parts.lmHead?.total ?? 0)
  const withMtp = { totalWithMtp: total + mtp, totalWithMtpNonEmbedding: total + mtp - tables }
  return { total, totalNonEmbedding: total - tables, ...(mtp > 0 ? withMtp : {}), ...active }
}

const isTotal = (sum: string): boolean => sum.startsWith('total')

/** Which of ours the published figure is, rounded or truncated to its last digit. */
const matches = (
  key: string,
  { billions, step }: PublishedFigure<string>,
  wanted: (sum: string) => boolean,
) => {
  const digits = Math.round(billions / step)
  const ours = Object.entries(figuresOf(key)).filter(([sum]) => wanted(sum))
  const those = (how: (steps: number) => number): string[] =>
    ours.filter(([, value]) => how(value / 1e9 / step) === digits).map(([sum]) => sum)
  return { rounds: those(Math.round), truncates: those(Math.floor) }
}

describe.each(pairs)('%s', (key, { config, derived, agreement, ...entry }) => {
  const published = publishedModels[key]

  test('is the model of the fixture', () => {
    expect(entry.name.slice(0, 4).toLowerCase()).toBe(
      (key === 'arctic' ? 'snow' : published.name.slice(0, 4)).toLowerCase(),
    )
    if (config === null || derived === null) return
    const count = countParameters(presets[key])
    expect(count.total).toBe(derived.total)
    expect(count.mtp).toBe(derived.mtp ?? 0)
    expect(count.active.backbone).toBe(derived.activeBackbone)
    const same = { ...fromHuggingFaceConfig(config), name: published.name }
    expect(count).toEqual(countParameters(same))
    expect(published.exact).toEqual(
      entry.exactTotal === null ? undefined : { total: entry.exactTotal, sum: entry.exactMatches![0] },
    )
  })

  test('has an honest verdict on each published figure', () => {
    const stated = [
      ['total', published.total, isTotal],
      ['active', published.active, (sum: string) => !isTotal(sum)],
    ] as const
    for (const [which, figure, wanted] of stated) {
      if (figure === undefined) {
        expect(entry.published[which]).toBeNull()
        continue
      }
      const { rounds, truncates } = matches(key, figure, wanted)
      const verdict = rounds.length > 0 ? 'rounds' : truncates.length > 0 ? 'truncates' : 'differs'
      expect([figure.verdict, [...figure.as].sort()]).toEqual([
        verdict,
        { rounds, truncates, differs: [] }[verdict].sort(),
      ])
      if (verdict !== 'rounds') expect(figure.why).toMatch(/\d/)
      if (agreement && published.name !== 'Llama 4 Scout 17B-16E (text)') {
        const their = agreement[`${which}${verdict === 'truncates' ? 'Truncates' : 'Rounds'}`]
        const names: Record<string, string> = { withoutEmbedding: 'withHead' }
        expect(their.map((sum) => names[sum] ?? sum).sort()).toEqual([...figure.as].sort())
      }
    }
  })

  test('has sources, and a router that all its layers share', () => {
    expect(published.source).toMatch(/\w/)
    expect(published.publishedIn).toMatch(/\w/)
    expect(routerOf(presets[key]).topK).toBeGreaterThan(0)
  })
})

test('Switch-C and GLaM, from the tables of their papers', () => {
  const [c, glam] = [presets['switch-c'], presets['glam-64b-64e']]
  expect([c.pattern, glam.pattern]).toEqual(['E'.repeat(15) + 'A'.repeat(15), 'DE'.repeat(32)])
  expect(c.layers.A.map(({ kind }) => kind)).toEqual(['attention', 'attention', 'moe'])
  const cExperts = 30 * 2048 * 2 * 2080 * 6144
  const cRest = 45 * 4 * 2080 * 2048 + 30 * 2080 * 2048 + (5 * 15 + 1) * 2080 + 32128 * 2080
  expect(countParameters(c).total).toBe(cExperts + cRest) // 1,571,308,968,320
  const [attention, table] = [64 * 4 * 8192 * 16384, 256_000 * 8192]
  const glamMlps = 32 * (3 + 2 * 2) * 8192 * 32768
  const glamRest = 32 * 64 * 8192 + (2 * 64 + 1) * 8192
  expect(countParameters(glam).active.withHead).toBe(attention + glamMlps + glamRest + table) // 96,604,266,496
})

test('the recipe of Nemotron 3 Nano names a source for every fact', () => {
  const facts = Object.values(nemotron3NanoRecipe).flatMap((group) => Object.values(group))
  expect(facts.length).toBeGreaterThan(40)
  for (const fact of facts) {
    expect(fact.source).toMatch(/arXiv|docs|discussion|overview/)
    expect(fact).toSatisfy(Object.isFrozen)
  }
  const { pretraining, quantization } = nemotron3NanoRecipe
  const phases = pretraining.tokensOfPhases.value as number[]
  expect(phases[0] + phases[1]).toBe(pretraining.tokens.value)
  const layersOf = (letter: string): number[] =>
    [...nemotron3Nano.pattern].flatMap((each, i) => (each === letter ? [i] : []))
  expect(quantization.attentionInBf16.value).toEqual(layersOf('*'))
  expect(quantization.mambaInBf16.value).toEqual(layersOf('*').map((layer) => layer - 1))
})
