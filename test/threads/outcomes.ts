import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { InputError } from 'moesim'
import { expect } from 'vitest'

export const refusal = async (from: Promise<unknown>): Promise<InputError> =>
  from.then(
    () => Promise.reject(new Error('nothing was refused')),
    (error) => error,
  )

/** Rejected as `call` throws. */
export async function expectRefused(found: Promise<unknown>, call: () => unknown): Promise<void> {
  let wanted: unknown
  try {
    call()
  } catch (error) {
    wanted = error
  }
  expect(wanted).toBeInstanceOf(Error)
  const { name, message } = wanted as Error
  expect(await refusal(found)).toMatchObject({ name, message })
}

/** What a process prints that runs `code`, and ends by itself within half a minute. */
export function run(code: string): string {
  const cwd = fileURLToPath(new URL('../..', import.meta.url))
  const args = ['--input-type=module', '-e', code]
  return execFileSync(process.execPath, args, { cwd, encoding: 'utf8', timeout: 30_000 }).trim()
}
