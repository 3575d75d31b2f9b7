import { concatenate, InputError, sumLoads } from 'moesim'
import { expect, test } from 'vitest'

test('arrays stand one after another, in the type of the first', () => {
  expect(concatenate([Int32Array.of(1, 2), new Int32Array(), Int32Array.of(3)])).toEqual(
    Int32Array.of(1, 2, 3),
  )
  expect(() => concatenate([])).toThrow(InputError)
})

test('a sum of loads that 32 bits cannot hold is refused, not wrapped', () => {
  const most = Int32Array.of(2 ** 31 - 2)
  expect(sumLoads([most, Int32Array.of(1)])).toEqual(Int32Array.of(2 ** 31 - 1))
  expect(() => sumLoads([most, Int32Array.of(2)])).toThrow(
    'a summed load must stay below 2^31, got 2147483648',
  )
})
