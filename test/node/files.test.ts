import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { InputError } from 'moesim'
import { expect, test } from 'vitest'
import { quoted, readBytes, readStream, refusing, writeAtomically } from '../../dist/node/files.js'
import { newFolder } from '../cli/terminal.js'

const folder = newFolder()
const file = join(folder, 'a.bin')
writeFileSync(file, Buffer.from([1, 2, 3]))

test('a file is read as bytes, whose slices are copies', () => {
  const bytes = readBytes(file)
  expect(bytes).toEqual(Uint8Array.of(1, 2, 3))
  expect(Object.getPrototypeOf(bytes)).toBe(Uint8Array.prototype)
})

test('a file or a stream larger than asked for is refused before it is held', async () => {
  expect(readBytes(file, 3)).toHaveLength(3)
  expect(() => readBytes(file, 2)).toThrow(`${file}: it must have at most 2 bytes, got 3`)
  expect(() => readBytes('/dev/zero', 1e6)).toThrow('/dev/zero: it must have at most 1000000 bytes, got ')
  expect(readBytes('/dev/null', 3)).toHaveLength(0)
  let given = 0
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) yield Uint8Array.of(++given, 0)
  }
  await expect(readStream(endless(), 7)).rejects.toThrow(
    'standard input: it must have at most 7 bytes, got 8',
  )
  expect(given).toBe(4)
  async function* three(): AsyncGenerator<Uint8Array> {
    yield Uint8Array.of(1)
    yield Uint8Array.of(2, 3)
  }
  expect(await readStream(three(), 3)).toEqual(Uint8Array.of(1, 2, 3))
})

test.each([
  [join(folder, 'none'), 'it must exist'],
  [folder, 'it must be a file'],
  [join(file, 'b'), 'its folder must be a folder'],
])('%s cannot be read, and the message says why', (path, rule) => {
  expect(() => readBytes(path)).toThrow(InputError)
  expect(() => readBytes(path)).toThrow(`file: ${rule}, got "`)
})

// Permissions do not bind an administrator, and disks do not fill on demand: the system's answers are given here.
test.each([
  ['EACCES', 'it must be open to you'],
  ['EPERM', 'it must be open to you'],
  ['ENOSPC', 'there must be room for it'],
  ['EMFILE', 'it must be usable (EMFILE)'],
])('%s is told in words', (code, rule) => {
  const act = () => {
    throw Object.assign(new Error('no'), { code })
  }
  expect(() => refusing('run.jsonl', act)).toThrow(`file: ${rule}, got "run.jsonl". `)
})

test('an error that is not the system’s passes through', () => {
  const bug = new TypeError('a bug')
  const act = () => {
    throw bug
  }
  expect(() => refusing(file, act)).toThrow(bug)
})

test('a file is replaced as a whole, and no draft stays', () => {
  const inside = join(folder, 'atomic')
  mkdirSync(inside)
  const path = join(inside, 'state.json')
  writeAtomically(path, 'one')
  writeAtomically(path, 'two')
  expect(readFileSync(path, 'utf8')).toBe('two')
  expect(readdirSync(inside)).toEqual(['state.json'])
})

test('a file that cannot be replaced stays as it is, and no draft stays', () => {
  const inside = join(folder, 'taken')
  mkdirSync(join(inside, 'state.json', 'content'), { recursive: true }) // a folder in its place
  expect(() => writeAtomically(join(inside, 'state.json'), 'new')).toThrow(InputError)
  expect(readdirSync(inside)).toEqual(['state.json'])
})

test('a path that a shell would take apart is quoted', () => {
  expect(quoted('runs/u-1e.3_b.jsonl')).toBe('runs/u-1e.3_b.jsonl')
  expect(quoted('my run.jsonl')).toBe("'my run.jsonl'")
  expect(quoted("it's.jsonl")).toBe("'it'\\''s.jsonl'")
})
