import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const cwd = fileURLToPath(new URL('..', import.meta.url))

test.each([
  [['--compare'], 'bench:compare needs the FILE of an earlier run.'],
  [['--compare', 'no-such-run.json'], 'no-such-run.json cannot be read: '],
])('the bench takes %j for a command line that was not understood', (words, message) => {
  const argv = ['--import', 'tsx', 'bench/run.ts', ...words]
  const { status, stdout, stderr } = spawnSync(process.execPath, argv, { cwd, encoding: 'utf8' })
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
  expect(stderr).toContain(message)
  expect(stderr).toContain('\nUsage: npm run bench ')
  expect(stderr).not.toMatch(/^ +at /m)
})
