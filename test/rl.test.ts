import fc from 'fast-check'
import { streams } from 'moesim'
import { describe, expect, test } from 'vitest'
import { curriculum, groupAdvantages, maskedRatio } from '../examples/rl/grpo.js'
import { dispose, logProbabilities, newPolicy, ofSaid } from '../examples/rl/policy.js'
import { engines, replayOf } from '../examples/rl/replay.js'
import { brevity, judgeReward, lengthControlled, mean } from '../examples/rl/rewards.js'
import { rollOut } from '../examples/rl/rollout.js'
import { reinforce } from '../examples/rl/train.js'
import { worldOf } from '../examples/rl/world.js'
import { backends, leaked, on, tf } from './tf/backends.js'

describe('the reward of a judge', () => {
  const truth = { first: 5, second: 2, ranking: 2 }

  test('is minus what it is wrong by, and −10 where it cannot be read', () => {
    expect(judgeReward(truth, truth)).toBeCloseTo(0)
    expect(judgeReward({ first: 4, second: 2, ranking: 1 }, truth)).toBe(-2)
    expect(judgeReward({ first: 1, second: 5, ranking: 6 }, truth)).toBe(-11)
    expect(judgeReward({ first: 4, second: 2, ranking: 1 }, truth, 10, 3)).toBe(-4)
    expect(judgeReward(undefined, truth)).toBe(-10)
    expect(judgeReward(undefined, truth, 20)).toBe(-20)
  })
})

describe('group relative length control', () => {
  test('adds λ · w: the shortest of a group gains what the longest loses', () => {
    const group = [
      { reward: 5, thinking: 100, answer: 10 },
      { reward: 1, thinking: 300, answer: 10 },
      { reward: 5, thinking: 200, answer: 10 },
    ]
    expect(lengthControlled(group)).toEqual([5.25, 0.75, 5])
    expect(lengthControlled(group, 0)).toEqual([5, 1, 5])
    const [short, long] = lengthControlled([
      { reward: 0, thinking: 1, answer: 8 },
      { reward: 0, thinking: 2, answer: 4 },
    ])
    expect([short, long]).toEqual([0, 0]) // less thinking, but the longer answer
  })

  test('weights sum to 0, whatever the lengths, so that a group gains nothing by being short', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 50_000 }), { minLength: 1, maxLength: 16 }),
        (lengths) => {
          const weights = brevity(lengths)
          expect(mean(weights)).toBeCloseTo(0, 12)
          expect(Math.max(...weights) - Math.min(...weights)).toBeCloseTo(
            new Set(lengths).size > 1 ? 1 : 0,
            12,
          )
        },
      ),
    )
  })
})

describe('GRPO', () => {
  test('normalises rewards by group: mean 0 and variance 1, or all 0 where all are equal', () => {
    expect(groupAdvantages([1, 0, 0, 1, 3, 3, 3, 3], 4)).toEqual([1, -1, -1, 1, 0, 0, 0, 0])
    expect(groupAdvantages([7, 5], 2)).toEqual([1, -1])
    const group = fc.array(fc.float({ min: -10, max: 10, noNaN: true }), { minLength: 16, maxLength: 16 })
    fc.assert(
      fc.property(group, (rewards) => {
        fc.pre(Math.max(...rewards) - Math.min(...rewards) > 1e-3)
        const advantages = groupAdvantages([...rewards, ...rewards.map((reward) => 3 * reward + 1)], 16)
        expect(mean(advantages)).toBeCloseTo(0, 9)
        expect(mean(advantages.map((a) => a * a))).toBeCloseTo(1, 9)
        advantages.slice(16).forEach((a, i) => void expect(a).toBeCloseTo(advantages[i], 6))
      }),
    )
  })

  test('weighs a token by the ratio of the engines within the bounds, and by 0 outside', () => {
    expect(maskedRatio(-1, -1)).toBe(1)
    expect(maskedRatio(Math.log(0.6), Math.log(0.3))).toBeCloseTo(2)
    expect(maskedRatio(Math.log(0.2), Math.log(0.5))).toBe(0)
    expect(maskedRatio(Math.log(0.6), Math.log(0.1))).toBe(0)
    expect(maskedRatio(Math.log(0.2), Math.log(0.5), 0.3)).toBeCloseTo(0.4)
  })

  test('samples prompts near a pass rate, each at most once, in the proportions of a Gaussian', () => {
    const draws = streams(4)('curriculum')
    const passRates = Array.from({ length: 1000 }, (_, i) => i / 1000)
    const rates = curriculum(passRates, { target: 0.5, width: 0.1, count: 100 }, draws).map(
      (i) => passRates[i],
    )
    expect(new Set(rates).size).toBe(100)
    expect(Math.abs(mean(rates) - 0.5)).toBeLessThan(0.03) // standard error 0.01
    expect(Math.sqrt(mean(rates.map((rate) => (rate - 0.5) ** 2)))).toBeGreaterThan(0.08)
    expect(Math.sqrt(mean(rates.map((rate) => (rate - 0.5) ** 2)))).toBeLessThan(0.14)
    const hard = curriculum(passRates, { target: 0.2, width: 0.1, count: 100 }, draws)
    expect(mean(hard.map((i) => passRates[i]))).toBeLessThan(0.3)
    expect(curriculum([0.1, 0.9], { target: 0.5, width: 0.1, count: 2 }, draws).sort()).toEqual([0, 1])
  })
})

describe.each(backends)('the toy stage on the %s backend', (backend) => {
  const world = worldOf(1)
  const prompts = Array.from({ length: 8 }, (_, i) => world(0, i))

  test('an engine in fp32 says what training says; in other formats replay brings the two nearer', async () => {
    await on(backend, () => {
      const policy = newPolicy(1, 0.01)
      const body = () => {
        const rollout = rollOut(policy, prompts, 16, { router: {} }, streams(1))
        tf.tidy(() => {
          const { logs, routing } = logProbabilities(policy, rollout.hidden, { training: false })
          ofSaid(logs, rollout.said)
            .dataSync()
            .forEach((value, token) => void expect(value).toBeCloseTo(rollout.logs[token], 4))
          expect(routing.experts).toEqual(rollout.experts)
        })
        expect(rollout.right.length).toBe(128)
        expect(rollout.thinking.every((looks) => looks >= 0 && looks <= 4)).toBe(true)
        for (const [name, engine] of Object.entries(engines)) {
          const { differ, anew, replayed } = replayOf(
            policy,
            rollOut(policy, prompts, 16, engine, streams(2)),
          )
          expect(differ, name).toBeGreaterThan(0.005)
          expect(replayed, name).toBeLessThan(anew)
        }
      }
      expect(leaked(body)).toBe(0)
      expect(leaked(() => dispose(policy))).toBeLessThan(0)
    })
  })

  test('one step for all micro-batches: the experts learn, the frozen router does not, the bias moves once', async () => {
    await on(backend, () => {
      const policy = newPolicy(1, 0.01)
      policy.layer.freeze('router')
      const optimizer = tf.train.sgd(0.1)
      const before = policy.layer.weights()
      const halves = [prompts.slice(0, 4), prompts.slice(4)].map((half, part) =>
        rollOut(policy, half, 16, engines['router bf16'], streams(part)),
      )
      const load = reinforce(policy, optimizer, halves, 16)
      const after = policy.layer.weights()
      expect(load.reduce((sum, count) => sum + count)).toBe(
        4 * (halves[0].said.length + halves[1].said.length),
      )
      expect(after.router).toEqual(before.router)
      expect(after.upProj).not.toEqual(before.upProj)
      expect(policy.layer.balanceState.updates).toBe(1)
      const wanted = load.map((count) => Math.sign(load.reduce((sum, n) => sum + n) - 32 * count))
      expect([...policy.layer.bias].map(Math.sign)).toEqual([...wanted])
      const hadThem = leaked(() => reinforce(policy, optimizer, halves, 16))
      expect(hadThem).toBe(0)
      dispose(policy)
      optimizer.dispose()
    })
  })
})
