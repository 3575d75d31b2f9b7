import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, describe, expect, test } from 'vitest'

const run = promisify(execFile)
const root = new URL('../', import.meta.url)
const readme = readFileSync(new URL('README.md', root), 'utf8')

/** Each program, and the output printed under it. */
const programs = [...readme.matchAll(/```ts\n([\s\S]+?)```\n\n```text\n([\s\S]*?)```/g)].map(
  ([, code, output], index) => ({ index, code, output }),
)

const folder = mkdtempSync(fileURLToPath(new URL('test/.readme-', root))) // inside the package, which finds itself
afterAll(() => rmSync(folder, { recursive: true }))

describe('the README', () => {
  test('has no program without its output', () => {
    expect(programs.length).toBeGreaterThan(2)
    expect(readme.match(/```ts\n/g)).toHaveLength(programs.length)
  })

  test('opens with a program of at most 12 lines', () => {
    expect(programs[0].code.trimEnd().split('\n').length).toBeLessThanOrEqual(12)
  })

  test.each(programs)('program $index prints what stands under it', async ({ index, code, output }) => {
    const file = `${folder}/${index}.ts`
    writeFileSync(file, code)
    const { stdout } = await run(process.execPath, [fileURLToPath(import.meta.resolve('tsx/cli')), file])
    expect(stdout).toBe(output)
  })

  test('lists every lesson under its question', () => {
    const lessons = readdirSync(new URL('examples/', root)).filter((file) => /^\d\d-/.test(file))
    const questions = lessons.map((file) => {
      const question = readFileSync(new URL(`examples/${file}`, root), 'utf8').split('\n')[1]
      return `- ${file.slice(0, 2)} [${question}](examples/${file})`
    })
    expect(readme.split('\n').filter((line) => /^- \d\d /.test(line))).toEqual(questions)
  })

  test('links to files that are there', () => {
    const links = [...readme.matchAll(/\]\(([^)#]+)\)/g)].map(([, link]) => link)
    expect(links.length).toBeGreaterThan(5)
    expect(links.filter((link) => !/^https?:/.test(link) && !existsSync(new URL(link, root)))).toEqual([])
  })
})
