import { existsSync, readFileSync } from 'node:fs'
import * as moesim from 'moesim'
import { describe, expect, test } from 'vitest'

/** Rows of the tables in test/README.md: number, or – where the method has none, method, function, source, test. */
const rows = readFileSync(new URL('README.md', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => /^\| (\d+|–) \|/.test(line))
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
  .map(([row, method, functions, source, pinnedBy]) => ({ row, method, functions, source, pinnedBy }))

/** What a test file does: a name that it only imports pins nothing. */
const withoutImports = (text: string): string => text.replace(/^import\b[^;]*?\bfrom '[^']+'$/gm, '')

const quoted = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name)

test('a name that a file only imports does not count', () => {
  const file =
    "import { join } from 'node:path'\nimport {\n  route,\n  type Router,\n} from 'moesim'\nimport fc from 'fast-check'\nroute()\n"
  expect(withoutImports(file)).toBe('\n\n\nroute()\n')
})

describe('the table of methods', () => {
  test('has every numbered row, and no other', () => {
    const numbers = rows.map(({ row }) => row).filter((row) => row !== '–')
    const all = Array.from({ length: 88 }, (_, i) => String(i + 1)).filter(
      (row) => row !== '68' && row !== '69',
    )
    expect([...new Set(numbers)].sort()).toEqual(all.sort())
  })

  test('is in number order, methods without a number last in each table', () => {
    const tables = readFileSync(new URL('README.md', import.meta.url), 'utf8')
      .split('\n## ')
      .slice(1)
    for (const table of tables) {
      const numbers = [...table.matchAll(/^\| (\d+|–) \|/gm)].map(([, row]) =>
        row === '–' ? Infinity : Number(row),
      )
      expect(numbers).toEqual([...numbers].sort((a, b) => (a === b ? 0 : a - b)))
    }
  })

  test.each(rows.filter(({ functions }) => functions.includes('`')))(
    'row $row, $method: its functions are exported and its tests name them',
    ({ functions, source, pinnedBy }) => {
      expect(source).not.toBe('')
      const tests = quoted(pinnedBy)
      expect(tests).not.toEqual([])
      expect(tests.filter((file) => !existsSync(new URL(file, import.meta.url)))).toEqual([])
      const texts = tests
        .map((file) => withoutImports(readFileSync(new URL(file, import.meta.url), 'utf8')))
        .join('\n')
      for (const name of quoted(functions)) {
        expect(moesim).toHaveProperty(name)
        expect(texts).toMatch(new RegExp(`\\b${name}\\b`))
      }
    },
  )

  test.each(rows.filter(({ functions }) => !functions.includes('`')))(
    'row $row, $method, is left out with a reason',
    ({ functions, pinnedBy }) => {
      expect(functions).toBe('—')
      expect(pinnedBy.length).toBeGreaterThan(10)
    },
  )
})
