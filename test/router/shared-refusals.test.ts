import {
  chanceOf,
  cosineLogits,
  expectedDistinctExperts,
  expectedDropShare,
  expectedMaxViolation,
  routerLogits,
  tokensToTouch,
  topAny,
} from 'moesim'
import { describe, expect, test } from 'vitest'
import { run } from './run.js'

const sizes = { tokens: 8, numExperts: 4, topK: 2, capacity: 1 }

describe('fair routing is refused in the same words wherever it is asked about', () => {
  test.each<[string, (changed: Partial<typeof sizes>) => unknown]>([
    ['chanceOf', (changed) => chanceOf({ ...sizes, ...changed })],
    ['chanceOf', (changed) => expectedMaxViolation({ ...sizes, ...changed })],
    ['expectedDropShare', (changed) => expectedDropShare({ ...sizes, ...changed })],
    ['expectedDistinctExperts', (changed) => expectedDistinctExperts({ ...sizes, ...changed })],
    ['tokensToTouch', (changed) => tokensToTouch(0.5, { ...sizes, ...changed })],
  ])('%s', (who, ask) => {
    expect(() => ask({})).not.toThrow()
    expect(() => ask({ topK: 1.5 })).not.toThrow() // a mean, of routers that choose a varying number
    for (const topK of [-1, 5, Number.NaN])
      expect(() => ask({ topK })).toThrow(
        `${who}: topK must be a number from 0 to numExperts = 4, got ${topK}. It is how many a token`,
      )
    for (const numExperts of [0, 1.5, Number.NaN, 2 ** 20 + 1])
      expect(() => ask({ numExperts })).toThrow(
        `${who}: numExperts must be a whole number from 1 to 1048576, got ${numExperts}. It is the number`,
      )
  })
})

describe('weights that are no rows of one width, one an expert, are refused', () => {
  const odd = new Float32Array(7)
  const hidden = new Float32Array(6)
  const cosine = { projection: new Float32Array(6), temperature: 0 }
  test.each<[string, number, () => unknown]>([
    ['routerLogits: weight', 2, () => routerLogits(hidden, odd, 2)],
    ['routerLogits: weight', 2, () => routerLogits(hidden, new Float32Array(0), 2)],
    ['cosineLogits: directions', 2, () => cosineLogits(hidden, { ...cosine, directions: odd }, 2)],
    [
      'topAny: weight',
      3,
      () => run(topAny({ weight: odd, thresholds: new Float32Array(3) }), { tokens: 2, hidden }),
    ],
  ])('%s', (name, rows, call) => {
    expect(call).toThrow(`${name} must hold numExperts = ${rows} rows, got a Float32Array of`)
  })
})
