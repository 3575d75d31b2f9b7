import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { moesim } from './terminal.js'

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string
}

test('--version is the version of the package', async () => {
  expect(await moesim('--version')).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
})

test('--help lists every command and the exit codes', async () => {
  const { code, stdout } = await moesim('--help')
  expect(code).toBe(0)
  for (const command of ['count', 'compare', 'simulate', 'replay', 'tour'])
    expect(stdout).toMatch(RegExp(`^  ${command} `, 'm'))
  expect(stdout).toContain('Exit codes: 0 all is well, 1 ')
})

test.each(['count', 'compare', 'simulate', 'replay', 'tour'])(
  '%s --help ends with an example',
  async (command) => {
    const { code, stdout, stderr } = await moesim([command, '--help'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(RegExp(`^Usage: moesim ${command} `))
    expect(stdout).toMatch(RegExp(`Examples?:\n(  \\$ moesim ${command}.*\n)+\n*$`))
  },
)

test('help is as wide as the terminal', async () => {
  const widest = async (columns: number): Promise<number> => {
    const { stdout } = await moesim('simulate --help', { columns })
    return Math.max(...stdout.split('\n').map((line) => line.length))
  }
  expect(await widest(70)).toBeLessThanOrEqual(70)
  expect(await widest(140)).toBeGreaterThan(80)
})

test.each([
  ['simulat', "unknown command 'simulat'\n(Did you mean simulate?)"],
  ['simulate --token 12', "unknown option '--token'\n(Did you mean --tokens?)"],
  ['count --jsn', "unknown option '--jsn'\n(Did you mean --json?)"],
  ['compare a b c', 'too many arguments'],
  ['compare a', "missing required argument 'b'"],
  ['replay', "missing required argument 'file'"],
  ['simulate --steps', "option '--steps <n>' argument missing"],
])('"%s" is no command line: exit code 2', async (words, message) => {
  const { code, stdout, stderr } = await moesim(words)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toContain(`error: ${message}`)
})

test('no command at all shows the help on stderr: exit code 2', async () => {
  const { code, stdout, stderr } = await moesim([])
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toMatch(/^Usage: moesim /)
})

test('an error that is not about input is not swallowed', async () => {
  const stdout = (): never => {
    throw new TypeError('a bug')
  }
  await expect(moesim('count', { stdout })).rejects.toThrow('a bug')
})
