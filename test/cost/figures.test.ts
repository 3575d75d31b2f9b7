import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { figures, figuresTable } from './figures.js'

test.each(figures)('$what: $printed', ({ printed, ours, differs }) => {
  if (differs === undefined) expect(ours()).toBe(printed)
  else expect(ours()).not.toBe(printed)
})

test('the table of figures in test/README.md is what figuresTable gives', () => {
  expect(readFileSync(new URL('../README.md', import.meta.url), 'utf8')).toContain(`\n${figuresTable()}\n`)
})
