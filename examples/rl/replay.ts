// What router replay does to the importance ratio of two engines.
import * as tf from '@tensorflow/tfjs'
import { agreement, type FormatName } from 'moesim'
import { maskedRatio } from './grpo.js'
import { logProbabilities, ofSaid, type Policy } from './policy.js'
import { mean } from './rewards.js'
import type { Engine, Rollout } from './rollout.js'

const stations = (format: FormatName) => ({ logits: format, scores: format, keys: format, weights: format })
/** fp8 has too few values between 0 and 1 for scores and biases: the logits alone are in it, all else in bf16. */
const fp8 = { ...stations('bf16'), logits: 'fp8-e4m3' } as const

/** How rollouts are computed; training is in float32. */
export const engines: Readonly<Record<string, Engine>> = {
  'router bf16': { router: stations('bf16') },
  'router fp8': { router: fp8 },
  'all bf16': { router: stations('bf16'), rest: 'bf16' },
  'all fp8': { router: fp8, rest: 'fp8-e4m3' },
}

export interface Replay {
  /** Share of tokens whose set of experts is another in float32. */
  readonly differ: number
  /** Variance of the log importance ratio, routed anew in float32, and with the experts of the rollout. */
  readonly anew: number
  readonly replayed: number
  /** Shares of tokens that masked importance sampling leaves out. */
  readonly masked: number
  readonly maskedReplayed: number
}

/** The same rollout, learnt from with both routings. */
export function replayOf(policy: Policy, rollout: Rollout): Replay {
  const anew = ratios(policy, rollout, {})
  const replayed = ratios(policy, rollout, { experts: rollout.experts })
  return {
    differ: agreement(anew.routing, replayed.routing).differingTokenShare,
    anew: anew.variance,
    replayed: replayed.variance,
    masked: anew.masked,
    maskedReplayed: replayed.masked,
  }
}

function ratios(policy: Policy, { hidden, said, logs }: Rollout, replay: { experts?: Int32Array }) {
  const result = tf.tidy(() => {
    const { logs, routing } = logProbabilities(policy, hidden, { training: false, ...replay })
    return { logs: ofSaid(logs, said), routing: { ...routing } }
  })
  const own = [...result.logs.dataSync()]
  result.logs.dispose()
  const logRatios = own.map((value, token) => value - logs[token])
  const middle = mean(logRatios)
  return {
    routing: result.routing,
    variance: mean(logRatios.map((ratio) => (ratio - middle) ** 2)),
    masked: mean(own.map((value, token) => Number(maskedRatio(value, logs[token]) === 0))),
  }
}
