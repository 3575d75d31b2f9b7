import { expect, test } from 'vitest'
import { heatMap, legend } from '../../dist/cli/heatmap.js'
import { sparkline } from '../../dist/cli/sparkline.js'
import { grouped, percent, table } from '../../dist/cli/table.js'

const plain = { columns: 80, colors: false }

test('a table stands to the right, but for names in front', () => {
  const rows = [
    ['a', '1', '1 of 20'],
    ['long', '1,000', '—'],
  ]
  expect(table(['name', 'n', 'text'], rows)).toBe(
    ['name      n     text', 'a         1  1 of 20', 'long  1,000        —', ''].join('\n'),
  )
  expect(
    table(
      ['step', 'n'],
      [
        ['5', '1'],
        ['10', '2'],
      ],
    ),
  ).toBe('step  n\n   5  1\n  10  2\n')
})

test('whole numbers are grouped, shares are percent with fixed digits', () => {
  expect([0, 999, 1000, 1234567].map(grouped)).toEqual(['0', '999', '1,000', '1,234,567'])
  expect([percent(0.5), percent(0.12345, 2)]).toEqual(['50.0 %', '12.35 %'])
})

test('a heat map shows each expert by its multiple of the mean', () => {
  // mean 100
  const load = [0, 24, 25, 50, 75, 100, 125, 150, 199, 200, 1, 251]
  expect(load.reduce((sum, count) => sum + count) / load.length).toBe(100)
  expect(heatMap(load, plain)).toBe('  0 ·▁▂▃▄▅▆▇▇█▁█\n')
})

test('a load of nothing is shown as nothing', () => {
  expect(heatMap([0, 0, 0], plain)).toBe(' 0 ···\n')
})

test.each([
  [133, [128]],
  [132, [64, 64]],
  [80, [64, 64]],
  [68, [32, 32, 32, 32]],
  [30, Array(8).fill(16)],
])('in %i columns, 128 experts take rows of %j', (columns, widths) => {
  const lines = heatMap(Array(128).fill(1), { columns, colors: false }).trimEnd().split('\n')
  expect(lines.map((line) => line.slice(5).length)).toEqual(widths)
  expect(lines.map((line) => Number(line.slice(0, 4)))).toEqual(widths.map((width, i) => i * width))
})

test('colour repeats what the heights say: blue, green, yellow, red', () => {
  const load = [1, 100, 150, 349, 0]
  const colored = heatMap(load, { columns: 80, colors: true })
  const color = (block: string, code: number): string => `\x1b[${code}m${block}\x1b[39m`
  expect(colored).toBe(` 0 ${color('▁', 34)}${color('▄', 32)}${color('▆', 33)}${color('█', 31)}·\n`)
})

test('the legend gives the bounds of the blocks', () => {
  expect(legend(plain)).toBe(
    '· none  ▁ < 0.25  ▂ < 0.5  ▃ < 0.75  ▄ < 1  ▅ < 1.25  ▆ < 1.5  ▇ < 2  █ ≥ 2 × the mean load\n',
  )
})

test('a sparkline goes from 0 to the largest value', () => {
  expect(sparkline([0, 1, 2, 3, 4, 5, 6, 7, 8], 20)).toBe('▁▂▃▄▅▆▇██')
  expect(sparkline([0, 0], 20)).toBe('▁▁')
})

test('a sparkline averages equal groups where there is no room for all', () => {
  expect(sparkline([0, 2, 8, 8, 4, 4], 3)).toBe('▂█▅')
  expect(sparkline([8, 0, 0, 0, 0], 2)).toBe('█▁') // groups of 2 and 3
})
