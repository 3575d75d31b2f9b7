import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createRecording, resumeRecording, savedState, snapshotPath } from '../../dist/node/recording.js'
import { newFolder } from '../cli/terminal.js'

const folder = newFolder()

test('each line is on the disk as soon as it is added, and the snapshot lies beside until the run is complete', () => {
  const path = join(folder, 'a.jsonl')
  const recording = createRecording(path)
  recording.append({ step: 0 })
  expect(readFileSync(path, 'utf8')).toBe('{"step":0}\n')
  recording.save({ at: 1 })
  recording.append({ step: 1 })
  recording.save({ at: 2 })
  expect(savedState(path)).toEqual({ at: 2 })
  recording.close()
  recording.complete()
  expect(existsSync(snapshotPath(path))).toBe(false)
  expect(readFileSync(path, 'utf8')).toBe('{"step":0}\n{"step":1}\n')
})

// Lines around the size in which a file is read, characters of several bytes, and a last line that is torn.
test.each([1, 50, 4000, 65535, 65536, 65537, 200_000])(
  'a file of lines of %i characters is cut after any of them',
  (size) => {
    const path = join(folder, `${size}.jsonl`)
    const lines = ['a', '≥', 'é', ''].map((letter) => JSON.stringify(letter.repeat(size)))
    for (let keep = 0; keep <= lines.length; keep++) {
      writeFileSync(path, `${lines.join('\n')}\n"torn`)
      const seen: unknown[] = []
      const recording = resumeRecording(path, keep, (line, step) => seen.push([step, line]))
      expect(seen).toEqual(lines.slice(0, keep).map((line, step) => [step, JSON.parse(line)]))
      recording.append('new')
      recording.close()
      expect(readFileSync(path, 'utf8')).toBe([...lines.slice(0, keep), '"new"', ''].join('\n'))
    }
    expect(() => resumeRecording(path, 99, () => {})).toThrow('must hold the 99 lines')
  },
)

test('what a visitor throws, other than a refusal, is told as a line that is no report', () => {
  const path = join(folder, 'b.jsonl')
  writeFileSync(path, '1\n')
  const visit = () => {
    throw new TypeError('no field')
  }
  expect(() => resumeRecording(path, 1, visit)).toThrow('line 1 of')
})
