import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { figures, figuresTable } from './figures.js'

test.each(figures)('$what: $printed', ({ printed, ours, differs }) => {
  if (differs === undefined) expect(ours()).toBe(printed)
  else expect(ours()).not.toBe(printed)
})

test.each(figures.filter(({ simulated }) => simulated !== undefined))(
  '$what: simulated within 3 standard errors',
  ({ simulated }) => {
    for (const errors of simulated?.() ?? []) expect(Math.abs(errors)).toBeLessThan(3)
  },
)

test('the table of figures in test/README.md is what figuresTable gives: npm run figures writes it', () => {
  expect(readFileSync(new URL('../README.md', import.meta.url), 'utf8')).toContain(`\n${figuresTable()}\n`)
})
