import fc from 'fast-check'
import { InputError, parsePythonJson } from 'moesim'
import { expect, test } from 'vitest'

test('what JSON.stringify writes is read as JSON.parse reads it', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), (text) => {
      expect(parsePythonJson(text)).toStrictEqual(JSON.parse(text))
    }),
  )
})

test('a text that is broken somewhere is read or refused as JSON.parse does it', () => {
  const signs = fc.constantFrom(...'{}[]":,\\u0019eE+-. \n\t\0tfn\u2028é')
  const broken = fc
    .tuple(fc.json({ maxDepth: 3 }), fc.nat(), fc.nat(2), fc.array(signs, { maxLength: 3 }))
    .map(([text, at, gone, put]) => {
      const from = at % (text.length + 1)
      return text.slice(0, from) + put.join('') + text.slice(from + gone)
    })
  fc.assert(
    fc.property(broken, (text) => {
      let theirs: unknown
      try {
        theirs = JSON.parse(text)
      } catch {
        expect(() => parsePythonJson(text)).toThrow(InputError)
        return
      }
      expect(parsePythonJson(text)).toStrictEqual(theirs)
    }),
    { numRuns: 2000 },
  )
})

test('NaN, Infinity and -Infinity are numbers where a value stands, and letters inside a string', () => {
  const text = '{"time_step_limit": [0.0, Infinity], "low": -Infinity, "NaN": NaN, "say": "NaN, \\"Infinity"}'
  expect(parsePythonJson(text)).toStrictEqual({
    time_step_limit: [0, Number.POSITIVE_INFINITY],
    low: Number.NEGATIVE_INFINITY,
    NaN: Number.NaN,
    say: 'NaN, "Infinity',
  })
})

test.each([
  ['', 'a value in line 1, column 1, got "the end of the text"'],
  ['{"a": 1,\n "b" 2}', 'a colon in line 2, column 6, got "2}"'],
  ['{"a": 1,}', 'a name in double quotes in line 1, column 9, got "}"'],
  ["{'a': 1}", 'a name in double quotes in line 1, column 2'],
  ['[1 2]', 'a comma or ] in line 1, column 4, got "2]"'],
  ['[nan]', 'a value in line 1, column 2, got "nan]"'],
  ['-NaN', 'a value in line 1, column 1'],
  ['[01]', 'a comma or ] in line 1, column 3'],
  ['{"a": "b', 'the end of the string in line 1, column 9'],
  ['"a\\', 'the end of the string in line 1, column 4'],
  ['"a\nb"', 'no control character in a string in line 1, column 3'],
  ['"\\x41"', 'a string whose escapes are those of JSON in line 1, column 1'],
  ['{} {}', 'nothing after the value in line 1, column 4'],
])('%j is refused: there must be %s', (text, said) => {
  expect(() => parsePythonJson(text)).toThrow(`JSON: there must be ${said}`)
})

test('a name such as __proto__ is a property like any other, and the later of two values counts', () => {
  const value = parsePythonJson('{"__proto__": {"a": 1}, "b": 1, "b": 2}') as Record<string, unknown>
  expect(Object.keys(value)).toEqual(['__proto__', 'b'])
  expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
  expect(value.b).toBe(2)
})

test('nesting without end, and strings and lists of megabytes, are read or refused in one pass', () => {
  for (const open of ['[', '{"a":']) {
    expect(() => parsePythonJson(open.repeat(1e6))).toThrow('no more than 256 levels of nesting in line 1')
  }
  const deep = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels)
  expect(() => parsePythonJson(deep(256))).not.toThrow()
  expect(() => parsePythonJson(deep(257))).toThrow(InputError)
  const long = 'x'.repeat(3e6)
  expect(parsePythonJson(`"${long}"`)).toBe(long)
  expect(() => parsePythonJson(`"${'\\"'.repeat(1e6)}`)).toThrow('the end of the string')
  expect(parsePythonJson(`[${'NaN,'.repeat(1e5)}0]`)).toHaveLength(1e5 + 1)
})
