import { InputError, streams } from 'moesim'
import { describe, expect, test } from 'vitest'

describe('an InputError', () => {
  test('says rule, value and remedy, and keeps each', () => {
    const error = new InputError('route: topK must be 1', 2, 'Use 1.')
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject({
      name: 'InputError',
      message: 'route: topK must be 1, got 2. Use 1.',
      rule: 'route: topK must be 1',
      value: 2,
      remedy: 'Use 1.',
    })
  })

  test.each<[unknown, string]>([
    ['a\n"b"', '"a\\n\\"b\\""'],
    ['x'.repeat(80), `"${'x'.repeat(80)}"`],
    ['x'.repeat(81), `"${'x'.repeat(77)}..."`],
    [[1, 2, 3], 'an array of 3'],
    [new Float32Array(7), 'a Float32Array of 7'],
    [(x: number) => x, 'a function'],
    [class Router {}, 'a function'],
    [{ secret: 1 }, 'an object'],
    [Object.create(null), 'an object'],
    [null, 'null'],
    [undefined, 'undefined'],
    [true, 'true'],
    [Number.NaN, 'NaN'],
    [-0, '-0'],
    [0, '0'],
    [Symbol('s'), 'Symbol(s)'],
    [10n ** 100n, `1${'0'.repeat(76)}...`],
  ])('shows %o in a few words', (value, shown) => {
    expect(new InputError('rule', value, 'Remedy.').message).toBe(`rule, got ${shown}. Remedy.`)
  })

  test('does not run what it is given', () => {
    const hostile = {
      toString: () => expect.fail('was run'),
      toJSON: () => expect.fail('was run'),
      [Symbol.toPrimitive]: () => expect.fail('was run'),
    }
    expect(() => streams(hostile as unknown as string)).toThrow('a string or a finite number, got an object.')
  })
})
