import { expect, test } from 'vitest'
import { heldOutText, ngramBits, text } from '../examples/training/text.js'

const bytes = (word: string): Uint8Array => Buffer.from(word)

test('a byte costs log₂ of the inverse of its share, one byte more counted, of any kind', () => {
  const one = 1 / 256
  expect(ngramBits(1, bytes('aab'), bytes('b'), 0)).toBeCloseTo(Math.log2(4 / (1 + one)), 12)
  expect(ngramBits(1, bytes('aab'), bytes('z'), 0)).toBeCloseTo(Math.log2(4 / one), 12)
})

test('bigrams look one byte back, and one never seen tells nothing', () => {
  const seen = Math.log2(3 / (2 + 1 / 256))
  expect(ngramBits(2, bytes('abab'), bytes('ab'), 1)).toBeCloseTo(seen, 12)
  expect(ngramBits(2, bytes('abab'), bytes('zb'), 1)).toBe(8)
})

test('the book is split by chapters, and no chapter is lost', () => {
  expect([text.length, heldOutText.length]).toEqual([1150199, 66242])
})
