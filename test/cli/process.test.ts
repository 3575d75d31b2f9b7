import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { dataFile, interruptAt, moesim, newFolder } from './terminal.js'

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const small = ['simulate', '--experts', '16', '--top-k', '2', '--tokens', '64']

test('the program prints what the function prints', async () => {
  const words = [...small, '--steps', '5']
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...words], { encoding: 'utf8' })
  expect({ code: status, stdout, stderr }).toEqual(await moesim(words))
})

test('count - reads standard input to its end', () => {
  const input = readFileSync(dataFile('config.json'), 'utf8')
  const { status, stdout } = spawnSync(process.execPath, [main, 'count', '-'], { encoding: 'utf8', input })
  expect(status).toBe(0)
  expect(stdout).toMatch(/\nsum +3,675,560 /)
})

test.each([
  [['count', 'none'], 1],
  [['cuont'], 2],
])('moesim %j exits with %i, without a stack', (words, code) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...words], { encoding: 'utf8' })
  expect({ status, stdout }).toEqual({ status: code, stdout: '' })
  expect(stderr).not.toMatch(/^ +at /m)
})

test.skipIf(process.platform === 'win32')('moesim simulate | head -1 ends quietly', () => {
  const words = [...small, '--steps', '400'].join(' ')
  const script = `{ "$0" "$1" ${words}; echo "exit code $?" >&2; } | head -1`
  const { stdout, stderr } = spawnSync('sh', ['-c', script, process.execPath, main], { encoding: 'utf8' })
  expect(stdout).toBe('router changed from that of nemotron-3-nano-30b-a3b: 16 experts, top 2, sigmoid\n')
  expect(stderr).toBe('exit code 0\n')
})

describe.skipIf(process.platform === 'win32')('--out /dev/stdout', () => {
  const words = [...small, '--steps', '3', '--out', '/dev/stdout'].join(' ')
  const sh = (script: string) =>
    spawnSync('sh', ['-c', script, process.execPath, main], { encoding: 'utf8', cwd: newFolder() })

  test('puts the lines into a pipe, behind the title', () => {
    const { stdout, stderr } = sh(`"$0" "$1" ${words} | cat`)
    expect(stderr).toBe('')
    expect(stdout).toMatch(/^router changed from that of .*\n.*\n.*\n\n(\{"step":\d,.*\}\n){3}/)
  })

  test('is refused where it is a file, in which the summary would overwrite the lines', () => {
    const { status, stderr } = sh(`"$0" "$1" ${words} > run.txt`)
    expect(status).toBe(1)
    expect(stderr).toContain('--out must not be the file that a stream of this program is written to')
  })
})

test('a pipe that is closed from the start is no failure either', async () => {
  const child = spawn(process.execPath, [main, 'count'], { stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.destroy()
  let stderr = ''
  child.stderr.on('data', (text) => {
    stderr += text
  })
  const [code] = await once(child, 'close')
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
})

test.skipIf(process.platform === 'win32')(
  'Ctrl-C leaves whole lines, a snapshot, and the words to go on',
  async () => {
    const folder = newFolder()
    const out = join(folder, 'run.jsonl')
    const words = [...small, '--steps', '1000000']
    const child = spawn(process.execPath, [main, ...words, '--out', out], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let stderr = ''
    child.stderr.on('data', (text) => {
      stderr += text
    })
    const closed = once(child, 'close')
    while (!existsSync(`${out}.snapshot.json`)) await setTimeout(10)
    child.kill('SIGINT')
    const [code] = await closed
    const interrupted = readFileSync(out, 'utf8')
    const step = interrupted.split('\n').length - 1
    expect(code).toBe(130)
    expect(stderr).toBe(
      `Interrupted after ${step} of 1000000 steps. ${out} holds every step so far. ` +
        `Go on with: moesim simulate --resume ${out}\n`,
    )
    expect(interrupted.endsWith('\n')).toBe(true)

    // Some steps more: the file is what one run without interruption has at that point.
    await moesim(['simulate', '--resume', out], interruptAt(10))
    const resumed = readFileSync(out, 'utf8')
    const reference = join(folder, 'reference.jsonl')
    await moesim([...words, '--out', reference], interruptAt(step + 20))
    expect(resumed.length).toBeGreaterThan(interrupted.length)
    expect(readFileSync(reference, 'utf8').startsWith(resumed)).toBe(true)
  },
)

test('the built program starts with its interpreter', () => {
  expect(readFileSync(main, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/)
  expect(execFileSync(process.execPath, [main, '--version'], { encoding: 'utf8' })).toMatch(
    /^\d+\.\d+\.\d+\n$/,
  )
})
