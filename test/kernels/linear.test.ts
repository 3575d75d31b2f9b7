import fc from 'fast-check'
import { routerLogits } from 'moesim'
import { expect, test } from 'vitest'
import { withoutWebAssembly } from './plain.js'

const values = (length: number) =>
  fc
    .array(fc.float({ noNaN: true }), { minLength: length, maxLength: length })
    .map((list) => Float32Array.from(list))

test('the kernel and its plain twin give the same bits, whatever the sizes and values', () => {
  const shapes = fc.record({
    tokens: fc.nat(9),
    width: fc.integer({ min: 1, max: 9 }),
    numExperts: fc.integer({ min: 1, max: 19 }),
  })
  const cases = shapes.chain(({ tokens, width, numExperts }) =>
    fc.tuple(values(tokens * width), values(numExperts * width), fc.constant(numExperts), values(numExperts)),
  )
  fc.assert(
    fc.property(cases, ([hidden, weight, numExperts, bias]) => {
      const fast = routerLogits(hidden, weight, numExperts, bias)
      const plain = withoutWebAssembly(() => routerLogits(hidden, weight, numExperts, bias))
      expect(fast).toEqual(plain)
    }),
  )
})

test('a batch larger than one block in the cache keeps every row', () => {
  const [tokens, width, numExperts] = [2100, 65, 12]
  const hidden = Float32Array.from({ length: tokens * width }, (_, i) => ((i * 37) % 101) - 50)
  const weight = Float32Array.from({ length: numExperts * width }, (_, i) => ((i * 53) % 89) / 64)
  const fast = routerLogits(hidden, weight, numExperts)
  expect(fast).toEqual(withoutWebAssembly(() => routerLogits(hidden, weight, numExperts)))
})
