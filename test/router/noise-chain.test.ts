import {
  gshardTop2,
  gshardTop2Sampled,
  gumbelNoise,
  jitter,
  logitNoise,
  onLogits,
  type Router,
  type RowStep,
  route,
  softcap,
  streams,
} from 'moesim'
import { expect, test } from 'vitest'
import { run } from './run.js'

const context = { step: 0, layer: 0, tokens: 0, random: streams(1) }
const deviation = (values: Float32Array): number =>
  Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length)

test('two steps of a kind do not use the same numbers, in one chain or in two', () => {
  const zeros = { tokens: 200, logits: new Float32Array(200 * 8) }
  const noise = (around: RowStep[], ...within: RowStep[]): Float32Array => {
    let seen = new Float32Array(0)
    const look: Router = ({ logits }) => {
      seen = logits!.slice()
      return route(logits!, gshardTop2(8))
    }
    run(onLogits(onLogits(look, ...within), ...around), zeros)
    return seen
  }
  const once = noise([logitNoise(4)])
  expect(noise([], logitNoise(4))).toEqual(once)
  expect(noise([softcap(9), logitNoise(4), jitter(0)])).toEqual(once)
  const twice = Math.SQRT1_2 // of σ / E = 1 / 2
  expect(deviation(noise([logitNoise(4), logitNoise(4)]))).toBeCloseTo(twice, 1)
  expect(deviation(noise([logitNoise(4)], logitNoise(4)))).toBeCloseTo(twice, 1)
  const four = noise([logitNoise(4), logitNoise(4)], logitNoise(4), logitNoise(4))
  expect(deviation(four)).toBeCloseTo(1, 1)
})

test('the second expert that GShard draws does not hang on Gumbel noise before it', () => {
  const tokens = 4000
  const sampled = onLogits(gshardTop2Sampled(8), gumbelNoise())
  const { experts, weights } = run(sampled, { tokens, logits: new Float32Array(8 * tokens) })
  expect(experts).toHaveLength(2 * tokens)
  let runnersUp = 0
  const noise = gumbelNoise()(new Float32Array(8 * tokens), 8, context)
  for (let token = 0; token < tokens; token++) {
    const row = [...noise.subarray(8 * token, 8 * token + 8)]
    const order = row.map((_, e) => e).sort((a, b) => row[b] - row[a])
    expect(experts[2 * token]).toBe(order[0])
    runnersUp += Number(experts[2 * token + 1] === order[1])
  }
  expect(weights[0]).toBeGreaterThan(weights[1])
  expect(runnersUp / tokens).toBeLessThan(0.5)
})
