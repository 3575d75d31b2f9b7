import { InputError } from '../errors.js'

/** As deep as arrays and objects may stand in one another; a config of Hugging Face has about four levels. */
const deepest = 256

/**
 * Reads JSON as Python's `json` writes it: the standard, and `NaN`, `Infinity` and `-Infinity` where a value may stand.
 * Strict otherwise; of a name that stands twice in an object the later value counts. A name such as '__proto__' becomes
 * a property like any other.
 *
 * Takes one pass, whatever the text is. Throws an InputError that says where the text goes wrong.
 */
export function parsePythonJson(text: string): unknown {
  const reader: Reader = { text, at: 0 }
  const value = readValue(reader, 0)
  skipSpace(reader)
  if (reader.at < text.length) refuse(reader, 'nothing after the value')
  return value
}

/** The text, and how far it is read. */
interface Reader {
  readonly text: string
  at: number
}

const words: readonly (readonly [word: string, value: unknown])[] = [
  ['null', null],
  ['true', true],
  ['false', false],
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
]

function readValue(reader: Reader, depth: number): unknown {
  skipSpace(reader)
  const { text, at } = reader
  const first = text[at]
  if (first === '"') return readString(reader)
  if (first === '{' || first === '[') {
    if (depth === deepest) refuse(reader, `no more than ${deepest} levels of nesting`)
    return first === '{' ? readObject(reader, depth + 1) : readArray(reader, depth + 1)
  }
  const word = words.find(([word]) => text.startsWith(word, at))
  if (word === undefined) return readNumber(reader)
  reader.at += word[0].length
  return word[1]
}

function readArray(reader: Reader, depth: number): unknown[] {
  const values: unknown[] = []
  reader.at++
  if (accepts(reader, ']')) return values
  do values.push(readValue(reader, depth))
  while (goesOn(reader, ']'))
  return values
}

function readObject(reader: Reader, depth: number): object {
  const entries: [string, unknown][] = []
  reader.at++
  if (accepts(reader, '}')) return {}
  do {
    skipSpace(reader)
    if (reader.text[reader.at] !== '"') refuse(reader, 'a name in double quotes')
    const name = readString(reader)
    if (!accepts(reader, ':')) refuse(reader, 'a colon')
    entries.push([name, readValue(reader, depth)])
  } while (goesOn(reader, '}'))
  return Object.fromEntries(entries)
}

/** Past a comma; false past the closing bracket. */
function goesOn(reader: Reader, closing: string): boolean {
  if (accepts(reader, ',')) return true
  if (!accepts(reader, closing)) refuse(reader, `a comma or ${closing}`)
  return false
}

function accepts(reader: Reader, sign: string): boolean {
  skipSpace(reader)
  const holds = reader.text[reader.at] === sign
  if (holds) reader.at++
  return holds
}

/** A string without escapes is its text; JSON.parse knows the escapes. */
function readString(reader: Reader): string {
  const { text, at } = reader
  let end = at + 1
  let plain = true
  for (let code = text.charCodeAt(end); code !== quote; code = text.charCodeAt(++end)) {
    if (code === backslash) {
      plain = false
      end++
    } else if (!(code >= space)) {
      reader.at = Math.min(end, text.length)
      refuse(reader, end < text.length ? 'no control character in a string' : 'the end of the string')
    }
  }
  reader.at = end + 1
  if (plain) return text.slice(at + 1, end)
  try {
    return JSON.parse(text.slice(at, end + 1)) as string
  } catch {
    reader.at = at
    refuse(reader, 'a string whose escapes are those of JSON')
  }
}

const [quote, backslash, space] = [0x22, 0x5c, 0x20]

const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y

function readNumber(reader: Reader): number {
  number.lastIndex = reader.at
  const [digits] = number.exec(reader.text) ?? [refuse(reader, 'a value')]
  reader.at += digits.length
  return Number(digits)
}

function skipSpace(reader: Reader): void {
  const { text } = reader
  while (' \n\r\t'.includes(text[reader.at] ?? 'x')) reader.at++
}

function refuse(reader: Reader, wanted: string): never {
  const { text, at } = reader
  const found = at < text.length ? text.slice(at, at + 24) : 'the end of the text'
  throw new InputError(
    `JSON: there must be ${wanted} ${place(reader)}`,
    found,
    'Correct it there, or copy the file again.',
  )
}

function place({ text, at }: Reader): string {
  const before = text.slice(0, at)
  return `in line ${before.split('\n').length}, column ${at - before.lastIndexOf('\n')}`
}
