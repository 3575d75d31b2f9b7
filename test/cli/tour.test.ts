import { cpSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { Command } from 'commander'
import { expect, test } from 'vitest'
import { run } from '../../dist/cli/run.js'
import { addTour } from '../../dist/cli/tour.js'
import { dataFile, moesim, newFolder, terminal } from './terminal.js'

/** The tour with every simulation made short; its other stops are what they are. */
async function tour(words: string[], code?: number, own?: string) {
  const paper = terminal()
  const asked: string[] = []
  let result = -1
  const program = new Command('moesim')
  const shortly = (argv: readonly string[]): Promise<number> => {
    asked.push(argv[0])
    if (code !== undefined) return Promise.resolve(code)
    return run(argv[0] === 'simulate' ? [...argv, '--steps', '2', '--tokens', '60'] : argv, paper.io)
  }
  addTour(
    program,
    paper.io,
    (done) => {
      result = done
    },
    shortly,
    own,
  )
  await program.parseAsync(['tour', ...words], { from: 'user' })
  return { code: result, stdout: paper.stdout(), stderr: paper.stderr(), asked }
}

test('the tour counts, simulates, replays both recorded files and steers the recorded tokens', async () => {
  const { code, stdout, stderr, asked } = await tour([])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(asked).toEqual(['count', 'simulate', 'replay', 'replay', 'simulate'])
  expect(stdout.match(/^\d\. .*\?\n\$ moesim .*$/gm)).toHaveLength(5)
  expect(stdout).toContain('31,577,940,288')
  expect(stdout).toContain('The routing is the recorded one')
  expect(stdout).toContain('347 pairs')
  expect(stdout).toContain('tokens of trace.safetensors')
  expect(stdout).toMatch(/\nTry next:\n/)
})

test('where the recorded files do not lie it says so and does the rest', async () => {
  const { code, stdout, asked } = await tour([], undefined, newFolder())
  expect(code).toBe(0)
  expect(asked).toEqual(['count', 'simulate'])
  expect(stdout).toContain('\nThe recorded files are not here, so their replay is left out')
  expect(stdout).toMatch(/\nTry next:\n/)
})

test('what it runs is shown as one types it, a folder with a space in quotes', async () => {
  const folder = join(newFolder(), 'my data')
  cpSync(dataFile(''), folder, { recursive: true })
  const { stdout } = await tour([folder])
  const shown = relative('', join(folder, 'trace.safetensors'))
  expect(stdout).toContain(`\n$ moesim replay '${shown}'\n`)
  expect(stdout).toContain(`\n$ moesim simulate --trace '${shown}' --rate 0.01 --steps 60\n`)
})

test.each([
  ['none of the recorded files', []],
  ['one of them', ['trace.safetensors']],
])('a folder that is named and holds %s is refused at once', async (_, files) => {
  const folder = newFolder()
  for (const file of files) writeFileSync(join(folder, file), '')
  const { code, stdout, stderr } = await moesim(['tour', folder])
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toBe(
    `moesim: tour: the folder must hold trace.safetensors and training-load.safetensors, got "${folder}". ` +
      'Name the folder examples/data of the repository, or none for a tour without them.\n',
  )
})

test('what fails or is interrupted ends it', async () => {
  const { code, stdout, asked } = await tour([], 130)
  expect({ code, asked }).toEqual({ code: 130, asked: ['count'] })
  expect(stdout).not.toContain('Try next')
})

test('Ctrl-C ends the whole tour', async () => {
  const control = new AbortController()
  control.abort()
  const { code, stderr } = await moesim(['tour'], { signal: control.signal })
  expect(code).toBe(130)
  expect(stderr).toMatch(/^Interrupted after 1 of \d+ steps\. /)
})

test('every command that it proposes is understood', async () => {
  const { stdout } = await tour([], 0)
  const proposed = [...stdout.matchAll(/^ {2}moesim (.*?)(?: {2,}.*)?$/gm)].map(([, words]) => words)
  expect(proposed).toHaveLength(4)
  for (const words of proposed) {
    const short = words.includes('--help') ? words : `${words} --steps 1 --tokens 64`
    expect((await moesim(short)).code).toBe(0)
  }
})
