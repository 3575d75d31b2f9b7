import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { isRun } from '../bench/report.js'
import { newFolder } from './cli/terminal.js'

const cwd = fileURLToPath(new URL('..', import.meta.url))

const row = { name: 'moesim', median: 1, low: 1, high: 2, ratio: 1 }
const run = { date: '2026-11-24', machine: 'AMD EPYC', peers: '', tables: [{ title: 'count', rows: [row] }] }
const kept = join(newFolder(), 'kept.json')

const bench = (words: readonly string[]) =>
  spawnSync(process.execPath, ['--import', 'tsx', 'bench/run.ts', ...words], { cwd, encoding: 'utf8' })

test.each([
  [['--compare'], 'bench:compare needs the FILE of an earlier run.'],
  [['--compare', 'no-such-run.json'], 'no-such-run.json cannot be read: '],
  [['--compare', kept], `${kept} holds no run.`],
  [['--json', 'no-such-folder/run.json'], '--json needs a folder that exists: there is no no-such-folder.'],
])('the bench takes %j for a command line that was not understood', (words, message) => {
  writeFileSync(kept, '{"tables":[1]}')
  const { status, stdout, stderr } = bench(words)
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
  expect(stderr).toContain(message)
  expect(stderr).toContain('\nUsage: npm run bench ')
  expect(stderr).not.toMatch(/^ +at /m)
})

test('the bench tells its usage', () => {
  const { status, stdout, stderr } = bench(['--help'])
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(stdout).toMatch(/^Usage: npm run bench /)
})

test.each<[is: boolean, what: string, value: unknown]>([
  [true, 'a date and tables', run],
  [false, 'nothing', null],
  [false, 'no date', { ...run, date: undefined }],
  [false, 'no tables', { ...run, tables: undefined }],
  [false, 'a table of another kind', { ...run, tables: [1] }],
  [false, 'a row of another kind', { ...run, tables: [{ title: 'count', rows: [{ ...row, low: '1' }] }] }],
])('it is %s that a run has %s', (is, _, value) => {
  expect(isRun(value)).toBe(is)
})
