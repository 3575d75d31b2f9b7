import fc from 'fast-check'
import { loadOf, prepareRoute, type RouterConfig, type Routing, route } from 'moesim'
import { expect, test } from 'vitest'
import { withoutWebAssembly } from '../kernels/plain.js'
import { routeCase } from './route-cases.js'

const router: RouterConfig = { numExperts: 5, topK: 2, scoreFunction: 'sigmoid', normalize: true, scale: 1 }

/** Arrays as text, which compares faster than element by element. */
const asText = (...arrays: ArrayBufferView[]): string =>
  arrays
    .map((a) => Buffer.from(a.buffer as ArrayBuffer, a.byteOffset, a.byteLength).toString('base64'))
    .join()

const asBytes = ({ experts, weights }: Routing): string => asText(experts, weights)

test('what is routed where it lies is what route gives, batch after batch, to the last bit', () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(), (seed, part) => {
      const { logits, router, bias } = routeCase(seed, 8000)
      const tokens = logits.length / router.numExperts
      const prepared = prepareRoute(router, Math.max(1, tokens))
      for (const some of [tokens, part % (tokens + 1), tokens]) {
        prepared.logits.set(logits)
        const { load, ...routing } = prepared.route(bias, some)
        const wanted = route(logits.subarray(0, some * router.numExperts), router, bias)
        expect(routing).toMatchObject({ tokens: some, topK: router.topK, dropped: 0 })
        expect(asBytes(routing)).toEqual(asBytes(wanted))
        expect(load).toEqual(loadOf(wanted))
        const left = prepared.logits.subarray(0, logits.length)
        expect(asText(left)).toBe(asText(logits)) // a softmax leaves them as they were
      }
    }),
    { numRuns: 60 },
  )
})

test('its twin gives the same', () => {
  const run = () => {
    const { logits, route } = prepareRoute(router, 3)
    logits.set([1, 2, 3, 4, 5, 5, 4, 3, 2, 1, 0, 0, 0, 0, 0])
    const { load, ...routing } = route(Float32Array.of(0, 0, 0, 0.5, 0), 2)
    return [asBytes(routing), load]
  }
  expect(withoutWebAssembly(run)).toEqual(run())
})

test('a load stays, the other arrays may be written over', () => {
  const { logits, route } = prepareRoute(router, 1)
  logits.set([9, 8, 1, 1, 1])
  const { load } = route()
  logits.set([1, 1, 1, 8, 9])
  expect([...route().experts]).toEqual([4, 3])
  expect([...load]).toEqual([1, 1, 0, 0, 0])
})

test('what does not fit is refused', () => {
  expect(() => prepareRoute(router, 0)).toThrow('prepareRoute: tokens must be a whole number')
  expect(() => prepareRoute({ ...router, numExperts: 1 << 15 }, 1 << 14)).toThrow('at most 2^28')
  const { logits, route } = prepareRoute(router, 2)
  expect(() => route(undefined, 3)).toThrow('prepareRoute: tokens must be a whole number from 0 to 2')
  expect(() => route(new Float32Array(4))).toThrow('route: bias must be')
  logits[7] = Number.NaN
  expect(() => route()).toThrow('the logit of token 1 for expert 2 must be a number')
  expect(route(undefined, 1).tokens).toBe(1) // what lies behind the batch does not matter
})
