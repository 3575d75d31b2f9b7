import { readFileSync } from 'node:fs'

const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')

/** Of this program, as its package states it. */
export const version: string = (JSON.parse(text) as { version: string }).version
