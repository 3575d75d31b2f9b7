import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'

const run = promisify(execFile)
const folder = new URL('../examples/', import.meta.url)
const lessons = readdirSync(folder).filter((file) => /^\d\d-.*\.ts$/.test(file))

/** A lesson opens with its question, the command that runs it, and what that prints. */
const header = /^\/\*\n(?<question>[^\n]+\?)\n\nnpm run lesson (?<number>\d\d)\n\n(?<output>[\s\S]+?)\n\*\/\n/

describe('lessons', () => {
  test('there are lessons', () => expect(lessons.length).toBeGreaterThanOrEqual(4))

  test.each(lessons)(
    '%s says what it prints, in at most 60 lines',
    async (lesson) => {
      const source = readFileSync(new URL(lesson, folder), 'utf8')
      const { number, output } = source.match(header)?.groups ?? {}
      expect(number, 'the header: question, command, output').toBe(lesson.slice(0, 2))
      expect(source.split('\n').length - 1).toBeLessThanOrEqual(60)
      const tsx = fileURLToPath(import.meta.resolve('tsx/cli'))
      const { stdout, stderr } = await run(process.execPath, [tsx, fileURLToPath(new URL(lesson, folder))])
      expect(stdout.trimEnd()).toBe(output)
      expect(stderr).not.toContain('\u001b[') // a bar is for a terminal, which a pipe is not
    },
    300_000,
  ) // some train for half a minute, and longer beside others
})
