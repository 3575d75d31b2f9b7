import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { dataFile, interruptAt, moesim, newFolder } from './terminal.js'

const folder = newFolder()
const words = 'simulate --experts 16 --top-k 2 --tokens 64 --steps 30 --rate 0.01'
const read = (path: string): string => readFileSync(path, 'utf8')
const path = (name: string): string => join(folder, name)
const lines = (file: string): string[] => read(file).split('\n').slice(0, -1)

/** A run without interruption: what every resumed one must equal. */
async function whole(options: string): Promise<{ stdout: string; file: string }> {
  const out = path('whole.jsonl')
  const { code, stdout } = await moesim(`${words} ${options} --out ${out} --overwrite`)
  expect(code).toBe(0)
  expect(existsSync(`${out}.snapshot.json`)).toBe(false)
  return { stdout, file: read(out) }
}

test.each([
  ['', 5],
  ['--update-every 4', 6],
  ['--layers 2 --rule proportional --rate 0.05', 20],
  ['--workload domains', 1],
  ['--json', 12],
  ['--rule sign', 30], // after the last step
])('simulate %s, interrupted after step %i and resumed, ends with the same bytes', async (options, step) => {
  const out = path(`resumed-${step}.jsonl`)
  const interrupted = await moesim(`${words} ${options} --out ${out}`, interruptAt(step))
  expect(interrupted.code).toBe(130)
  expect(interrupted.stderr).toBe(
    `Interrupted after ${step} of 30 steps. ${out} holds every step so far. ` +
      `Go on with: moesim simulate --resume ${out}\n`,
  )
  expect(lines(out)).toHaveLength(step)

  const resumed = await moesim(['simulate', '--resume', out])
  const expected = await whole(options)
  expect(resumed).toEqual({ code: 0, stdout: expected.stdout, stderr: '' })
  expect(read(out)).toBe(expected.file)
  expect(existsSync(`${out}.snapshot.json`)).toBe(false)
})

test('the bar of a resumed run starts where the run stood, and knows its own rate', async () => {
  const out = path('bar.jsonl')
  await moesim(`${words} --out ${out}`, interruptAt(20))
  let now = 0
  const { stderr } = await moesim(['simulate', '--resume', out], {
    stderrIsTTY: true,
    now: () => {
      now += 500
      return now
    },
  })
  expect(stderr).toMatch(/^\r━{14}╌{6} {2}21\/30 {2}2\.0 steps\/s {2}5 s left {2}/)
})

test('a run that was moved goes on in its new place', async () => {
  const out = path('old.jsonl')
  const moved = path('new.jsonl')
  await moesim(`${words} --out ${out}`, interruptAt(5))
  renameSync(out, moved)
  renameSync(`${out}.snapshot.json`, `${moved}.snapshot.json`)
  const { stderr } = await moesim(['simulate', '--resume', moved], interruptAt(5))
  expect(stderr).toContain(
    `${moved} holds every step so far. Go on with: moesim simulate --resume ${moved}\n`,
  )
  expect(lines(moved)).toHaveLength(10)
  expect(existsSync(out)).toBe(false)
})

test('a run of a config.json goes on from wherever the command is given', async () => {
  const out = path('config.jsonl')
  const config = relative('', dataFile('config.json'))
  const line = `simulate --preset ${config} --assume nemotron_h --tokens 64 --steps 4 --out ${out}`
  expect((await moesim(line, interruptAt(2))).code).toBe(130)
  expect(JSON.parse(read(`${out}.snapshot.json`)).given.preset).toBe(dataFile('config.json'))
  const resumed = await moesim(['simulate', '--resume', out])
  const file = read(out)
  expect(resumed.stdout).toBe((await moesim(`${line} --overwrite`)).stdout)
  expect(file).toBe(read(out))
})

test('recorded tokens go on from wherever the command is given', async () => {
  const out = path('trace.jsonl')
  const recorded = relative('', dataFile('trace.safetensors'))
  const trace = `simulate --trace ${recorded} --tokens 100 --steps 4 --layers 1 --out ${out}`
  expect((await moesim(trace, interruptAt(2))).code).toBe(130)
  expect(JSON.parse(read(`${out}.snapshot.json`)).given.trace).toBe(dataFile('trace.safetensors'))
  const resumed = await moesim(['simulate', '--resume', out])
  const file = read(out)
  expect(resumed.stdout).toBe((await moesim(`${trace} --overwrite`)).stdout)
  expect(file).toBe(read(out))
})

test('a run that was killed goes on from its last snapshot; what follows that, torn or not, is cut off', async () => {
  const out = path('killed.jsonl')
  await moesim(`${words} --out ${out}`, interruptAt(10))
  const snapshot = read(`${out}.snapshot.json`)
  await moesim(['simulate', '--resume', out], interruptAt(7))
  expect(lines(out)).toHaveLength(17)
  writeFileSync(`${out}.snapshot.json`, snapshot)
  writeFileSync(out, `${read(out)}{"step":17,"tok`)
  const { code } = await moesim(['simulate', '--resume', out])
  expect(code).toBe(0)
  expect(read(out)).toBe((await whole('')).file)
})

test('a line of the user’s behind the steps is not cut off', async () => {
  const out = path('noted.jsonl')
  await moesim(`${words} --out ${out}`, interruptAt(3))
  const noted = `${read(out)}# my note\n`
  writeFileSync(out, noted)
  const { code, stdout, stderr } = await moesim(['simulate', '--resume', out])
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toContain(`moesim: resume: what follows line 3 of ${out} must be reports of the same run`)
  expect(read(out)).toBe(noted)
})

test('a snapshot is saved after the first step and then every five seconds', async () => {
  const out = path('saved.jsonl')
  const saved: number[] = []
  let now = 0
  const step = (): number => JSON.parse(read(`${out}.snapshot.json`)).snapshot.step
  await moesim(`${words} --out ${out}`, {
    now() {
      if (existsSync(`${out}.snapshot.json`) && !saved.includes(step())) saved.push(step())
      now += 900
      return now
    },
  })
  expect(saved.slice(0, 4)).toEqual([1, 7, 13, 19]) // 6 steps of 900 ms are the first to pass 5 s
})

test('without --out, Ctrl-C ends the run and says that nothing is kept', async () => {
  const control = new AbortController()
  control.abort()
  const { code, stdout, stderr } = await moesim(words, { signal: control.signal })
  expect(code).toBe(130)
  expect(stdout).not.toContain('MaxVio')
  expect(stderr).toBe('Interrupted after 1 of 30 steps. Nothing was kept; with --out FILE it could go on.\n')
})

test('an interrupted run is not overwritten by one of other options', async () => {
  const out = path('precious.jsonl')
  await moesim(`${words} --out ${out}`, interruptAt(3))
  const { code, stderr } = await moesim(`${words} --seed 1 --out ${out}`)
  expect(code).toBe(1)
  expect(stderr).toContain('simulate: --out must not hold an interrupted run of other options, got "')
  expect(stderr).toContain(`Go on with: moesim simulate --resume ${out} (or start anew with --overwrite).`)
  expect(lines(out)).toHaveLength(3)
})

test('the same command starts a run, goes on with it, and leaves it alone once it is complete', async () => {
  const out = path('same.jsonl')
  const command = `${words} --out ${out}`
  expect((await moesim(command, interruptAt(3))).code).toBe(130)
  expect((await moesim(command, interruptAt(4))).code).toBe(130)
  expect(lines(out)).toHaveLength(7)
  const expected = await whole('')
  expect(await moesim(command)).toEqual({ code: 0, stdout: expected.stdout, stderr: '' })
  const stderr = `${out} is complete: it holds 30 steps. This is its summary. To make it anew, use --overwrite.\n`
  expect(await moesim(command)).toEqual({ code: 0, stdout: expected.stdout, stderr })
  expect((await moesim(`${command} --json`)).stdout).toBe((await moesim(`${words} --json`)).stdout)
  expect(read(out)).toBe(expected.file)
})

test('a complete run with a line of the user’s is not taken for one', async () => {
  const out = path('more.jsonl')
  await moesim(`${words} --out ${out}`)
  writeFileSync(out, `${read(out)}# settled early\n`)
  for (const [line, rule] of [
    [`${words} --out ${out}`, 'simulate: --out must be a new file, or one that simulate has written'],
    [`simulate --resume ${out}`, 'resume: the file must be of a run that was interrupted'],
  ]) {
    const { code, stdout, stderr } = await moesim(line)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain(rule)
  }
})

const report = '{"step":0,"tokens":64,"numExperts":2,"load":[1,127]}\n'
test.each([
  ['a text', '# My notes\n'],
  ['a text without a line feed', 'x'.repeat(70_000)],
  ['bytes', Uint8Array.of(0, 255, 10, 10)],
  ['the log of something else', '{"step":0,"loss":3.5}\n{"step":1,"loss":3.4}\n'],
  ['a report with a line of the user’s', `${report}# settled early\n`],
  ['a report with words of the user’s behind it', `${report}settled early`],
  ['two reports in one file', report + report],
  ['a report without its beginning', report.replace('0', '1')],
])('%s is not overwritten, not even with --overwrite', async (_, content) => {
  const out = path('theirs.jsonl')
  writeFileSync(out, content)
  const before = readFileSync(out)
  const { code, stdout, stderr } = await moesim(`${words} --out ${out} --overwrite`)
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toContain('simulate: --out must be a new file, or one that simulate has written, got "')
  expect(stderr).toContain('Name another: what this one holds would be lost.')
  expect(readFileSync(out)).toEqual(before)
  expect(existsSync(`${out}.snapshot.json`)).toBe(false)
})

test('an empty file is written to', async () => {
  const out = path('empty.jsonl')
  writeFileSync(out, '')
  expect((await moesim(`${words} --out ${out}`)).code).toBe(0)
  expect(read(out)).toBe((await whole('')).file)
})

test.each([
  ['a complete run', (run: string) => run],
  ['a run whose snapshot was deleted', (run: string) => run.slice(0, -200)],
  ['a run that was killed as it began', () => '{"step":0,"tok'],
])('%s is replaced only where --overwrite says so', async (_, left) => {
  const held = left((await whole('--layers 40')).file) // lines of more than one block
  const out = path('own.jsonl')
  writeFileSync(out, held)
  const { code, stdout, stderr } = await moesim(`${words} --out ${out}`)
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toContain('simulate: --out must not hold another run, got "')
  expect(stderr).toContain('Name another file, or let its run be replaced with --overwrite.')
  expect(read(out)).toBe(held)

  expect((await moesim(`${words} --out ${out} --overwrite`)).code).toBe(0)
  expect(read(out)).toBe((await whole('')).file)
})

test('an interrupted run is replaced where --overwrite says so, and resumed without it', async () => {
  const out = path('anew.jsonl')
  await moesim(`${words} --layers 2 --out ${out}`, interruptAt(8))
  expect((await moesim(`${words} --out ${out} --overwrite`, interruptAt(3))).code).toBe(130)
  expect(JSON.parse(read(`${out}.snapshot.json`)).given).not.toHaveProperty('overwrite')
  expect((await moesim(['simulate', '--resume', out])).code).toBe(0)
  expect(read(out)).toBe((await whole('')).file)
})

describe.skipIf(process.platform === 'win32')('where nothing is kept', () => {
  const short = 'simulate --experts 16 --top-k 2 --tokens 64 --steps 2'

  test('a device takes the lines of a run', async () => {
    expect(await moesim(`${short} --out /dev/null`)).toEqual(await moesim(short))
    expect(existsSync('/dev/null.snapshot.json')).toBe(false)
  })

  test('a pipe is read line by line', async () => {
    const pipe = path('pipe')
    execFileSync('mkfifo', [pipe])
    const reader = spawn('cat', [pipe], { stdio: ['ignore', 'pipe', 'ignore'] })
    const piped = text(reader.stdout)
    expect((await moesim(`${short} --out ${pipe}`)).code).toBe(0)
    await moesim(`${short} --out ${path('file.jsonl')}`)
    expect(await piped).toBe(read(path('file.jsonl')))
    expect(existsSync(`${pipe}.snapshot.json`)).toBe(false)
  })

  test('a pipe whose reader leaves ends the run', async () => {
    const pipe = path('left')
    execFileSync('mkfifo', [pipe])
    spawn('head', ['-c', '1', pipe], { stdio: 'ignore' })
    const { code, stderr } = await moesim(`${words} --steps 300 --layers 40 --out ${pipe}`)
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /^moesim: file: it must be read to its end, got ".*"\. Let its reader run until then/,
    )
  })

  test('Ctrl-C says so', async () => {
    const { code, stderr } = await moesim(`${short} --out /dev/null`, interruptAt(1))
    expect(code).toBe(130)
    expect(stderr).toBe('Interrupted after 1 of 2 steps. Nothing was kept; with --out FILE it could go on.\n')
  })
})

test('--resume takes no other options', async () => {
  const { code, stderr } = await moesim(`simulate --resume ${path('x.jsonl')} --steps 5`)
  expect(code).toBe(2)
  expect(stderr).toContain('moesim: simulate: --resume stands alone, got "--steps".')
})

test('--resume of a complete run says so, and that is no failure', async () => {
  const out = path('complete.jsonl')
  await moesim(`${words} --out ${out}`)
  const stderr =
    `${out} is complete: it holds 30 steps. The command that started it prints its summary again. ` +
    'To make it anew, use --overwrite.\n'
  expect(await moesim(['simulate', '--resume', out])).toEqual({ code: 0, stdout: '', stderr })
})

test('what holds no complete run, and no snapshot, cannot be resumed', async () => {
  const out = path('parts.jsonl')
  await moesim(`${words} --out ${out}`)
  writeFileSync(out, `${lines(out).slice(0, -1).join('\n')}\n`)
  const { code, stderr } = await moesim(['simulate', '--resume', out])
  expect(code).toBe(1)
  expect(stderr).toContain(`resume: the file must be of a run that was interrupted, got "${out.slice(0, 77)}`)
})

const good = path('good.jsonl')
test.each([
  ['is no JSON', '{', undefined, 'resume: the snapshot must hold JSON'],
  ...[
    'null',
    '{"version":2,"given":{},"snapshot":{"step":1}}',
    '{"version":1,"given":null,"snapshot":{"step":1}}',
    '{"version":1,"given":{"steps":4},"snapshot":{"step":1}}',
    '{"version":1,"given":{}}',
    '{"version":1,"given":{},"snapshot":{"step":-1}}',
    '{"version":1,"given":{},"snapshot":{"step":"1"}}',
  ].map((snapshot): [string, string, undefined, string] => [
    `is ${snapshot}`,
    snapshot,
    undefined,
    'resume: it must be a snapshot of moesim simulate',
  ]),
  [
    'has lost its lines',
    undefined,
    '',
    `resume: ${good} must hold the 4 lines that its snapshot follows, got 0.`,
  ],
  ['follows no JSON', undefined, 'step 0\n', `resume: line 1 of ${good} must be a report, got "step 0".`],
  ['follows other steps', undefined, '{"step":1}\n', 'resume: line 1 must report step 0'],
  ['follows null', undefined, 'null\n', 'resume: line 1 must report step 0'],
  ['follows other experts', undefined, '{"step":0,"load":[1]}\n', 'resume: line 1 must report step 0'],
])('a snapshot that %s is refused', async (_, snapshot, file, message) => {
  await moesim(`${words} --out ${good} --overwrite`, interruptAt(4))
  const before = { snapshot: read(`${good}.snapshot.json`), file: read(good) }
  if (snapshot !== undefined) writeFileSync(`${good}.snapshot.json`, snapshot)
  if (file !== undefined) writeFileSync(good, file)
  const { code, stdout, stderr } = await moesim(['simulate', '--resume', good])
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toContain(`moesim: ${message}`)
  expect(read(good)).toBe(file ?? before.file)
  writeFileSync(`${good}.snapshot.json`, before.snapshot)
  writeFileSync(good, before.file)
})

test('a snapshot without its file is refused', async () => {
  const out = path('gone.jsonl')
  await moesim(`${words} --out ${out}`, interruptAt(2))
  mkdirSync(path('elsewhere'))
  writeFileSync(path('elsewhere/gone.jsonl.snapshot.json'), read(`${out}.snapshot.json`))
  const { code, stderr } = await moesim(['simulate', '--resume', path('elsewhere/gone.jsonl')])
  expect(code).toBe(1)
  expect(stderr).toContain('moesim: file: it must exist')
})
