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
test.each([100, 4000, 65535, 65536, 65537, 200_000])(
  'a file of lines of %i characters is cut after any of them',
  (size) => {
    const path = join(folder, `${size}.jsonl`)
    const lines = ['a', '≥', 'é', ' '].map((letter, step) => {
      const report = { step, tokens: 8, numExperts: 4, load: [2], note: '' }
      return JSON.stringify({ ...report, note: letter.repeat(size - JSON.stringify(report).length) })
    })
    for (let keep = 0; keep <= lines.length; keep++) {
      writeFileSync(path, `${lines.join('\n')}\n{"st`)
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

const report = (step: number): string => `{"step":${step},"tokens":64,"numExperts":128,"load":[3]}\n`

test('a report that is torn anywhere may follow the lines that are kept', () => {
  const path = join(folder, 'torn.jsonl')
  for (let size = 0; size < report(17).length; size++) {
    const kept = Array.from({ length: 16 }, (_, step) => report(step)).join('')
    writeFileSync(path, kept + report(16) + report(17).slice(0, size))
    resumeRecording(path, 16, () => {}).close()
    expect(readFileSync(path, 'utf8')).toBe(kept)
  }
})

test.each([
  ['a note', '# settled → early\n', '# settled → early'],
  ['a note behind a report', `${report(1)}# settled early\n${report(2)}`, '# settled early'],
  ['a note without a line feed', `${report(1)}settled`, 'settled'],
  ['an empty line', '\n', ''],
  ['a step twice', report(1) + report(1), report(1).trimEnd()],
  ['a later step', report(2), report(2).trimEnd()],
  ['a torn report of another step', '{"step":2', '{"step":2'],
  ['the log of something else', '{"step":1,"loss":3.5}\n', '{"step":1,"loss":3.5}'],
])('%s behind the lines that are kept is not cut off', (_, follows, stray) => {
  const path = join(folder, 'note.jsonl')
  writeFileSync(path, report(0) + follows)
  expect(() => resumeRecording(path, 1, () => {})).toThrow(
    `resume: what follows line 1 of ${path} must be reports of the same run, got ${JSON.stringify(stray)}. ` +
      'It would be lost: keep it elsewhere, and cut the file after line 1.',
  )
  expect(readFileSync(path, 'utf8')).toBe(report(0) + follows)
})

test('what a visitor throws, other than a refusal, is told as a line that is no report', () => {
  const path = join(folder, 'b.jsonl')
  writeFileSync(path, '1\n')
  const visit = () => {
    throw new TypeError('no field')
  }
  expect(() => resumeRecording(path, 1, visit)).toThrow('line 1 of')
})
