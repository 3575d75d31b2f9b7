/** Runs one lesson by its number: npm run lesson 01 */
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
const lessons = readdirSync(here).filter((file) => /^\d\d-.*\.ts$/.test(file))
const asked = process.argv[2]
const lesson =
  asked && /^\d+$/.test(asked) && lessons.find((file) => Number.parseInt(file, 10) === Number(asked))

if (lesson) {
  // This process already runs under tsx; its flags carry over to the lesson's own process.
  const flags = [...process.execArgv, `${here}${lesson}`, ...process.argv.slice(3)]
  process.exitCode = spawnSync(process.execPath, flags, { stdio: 'inherit' }).status ?? 1
} else {
  const problem = asked ? `There is no lesson ${asked}.` : 'Which lesson?'
  console.error(`${problem} Run one of them by its number, such as: npm run lesson 01`)
  for (const file of lessons) console.error(`  ${file.replace(/\.ts$/, '')}`)
  process.exitCode = 1
}
