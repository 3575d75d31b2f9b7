import {
  asRouter,
  cosineLogits,
  cosineRouter,
  moge,
  multiplicativeRouter,
  nullExperts,
  onLogits,
  onSelection,
  type RouterConfig,
  randomRouting,
  roundRobin,
  route,
  sigmoid,
  softcap,
} from 'moesim'
import { describe, expect, test } from 'vitest'
import { normalRows, ofLogits, run, runScored } from './run.js'

const router: RouterConfig = { numExperts: 4, topK: 2, scoreFunction: 'sigmoid', normalize: true, scale: 1 }
const batch = ofLogits(4, 3, -Infinity, 1, 0)
const masked = -Infinity
const sigmoids = [Math.fround(sigmoid(3)), masked, Math.fround(sigmoid(1)), 0.5]
const bias = Float32Array.of(0.5, 0.5, 1, 0.25)

describe('routers that select on scores tell them, before the bias and with −∞ where a token may not go', () => {
  test.each([
    ['asRouter', asRouter(router)],
    ['onSelection', onSelection(router)],
    ['nullExperts', nullExperts(router, 3)],
    ['moge', moge({ ...router, numGroups: 2 })],
    ['multiplicativeRouter', multiplicativeRouter(router)],
  ])('%s', (_, own) => {
    expect([...runScored(own, batch, { bias }).scores!]).toEqual(sigmoids)
  })

  test('after the steps that changed them', () => {
    const selected = runScored(onSelection(router, softcap(1)), batch).scores!
    expect(selected[3]).toBe(0.5)
    expect(selected[0]).toBeLessThan(sigmoid(1))
    expect(runScored(onLogits(router, softcap(1)), batch).scores).toEqual(selected)
  })

  test('of their own logits, where they make them', () => {
    const drawn = runScored(randomRouting(router), { tokens: 3 }, { bias: new Float32Array(4) })
    expect(drawn.scores).toHaveLength(12)
    const weights = { projection: normalRows(2, 2), directions: normalRows(4, 2), temperature: 1 }
    const hidden = normalRows(3, 2)
    const { scores } = runScored(cosineRouter(router, weights), { tokens: 3, hidden }, { bias })
    expect(scores).toEqual(cosineLogits(hidden, weights, 4).map(sigmoid))
  })

  test('but not those whose choice has nothing to do with scores', () => {
    expect(runScored(roundRobin(router), ofLogits(4, 1, 2, 3, 4))).not.toHaveProperty('scores')
    expect(run(asRouter(router), batch)).toEqual(route(batch.logits!, router))
  })
})
